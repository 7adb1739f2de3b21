// What the server says about itself.

import { forgetKey, getStatus, hasKey } from "./api.js";
import { h } from "./element.js";
import { count, roughly, size } from "./format.js";
import { problem } from "./problem.js";

const EVERY = 3000;

export class ServerStatus extends HTMLElement {
  #place = h("div", { class: "status" });
  #timer = 0;
  #stop = new AbortController();

  connectedCallback() {
    this.append(
      h("section", { "aria-labelledby": "status-title" }, h("h1", { id: "status-title", tabindex: -1 }, "Status"), this.#place),
    );
    if (hasKey()) this.append(h("p", { class: "about-tools" }, h("button", { type: "button", class: "quiet", onclick: (/** @type {Event} */ event) => (forgetKey(), /** @type {HTMLElement} */ (event.target).remove()) }, "Forget the key in this browser")));
    void this.#load();
  }

  disconnectedCallback() {
    this.#stop.abort();
    clearTimeout(this.#timer);
  }

  async #load() {
    try {
      this.#show(await getStatus(this.#stop.signal));
      this.#timer = window.setTimeout(() => void this.#load(), EVERY);
    } catch (error) {
      if (!this.#stop.signal.aborted) this.#place.replaceChildren(problem(error, () => void this.#load()));
    }
  }

  /** @param {Record<string, unknown>} status */
  #show(status) {
    const { models, version, uptime_seconds: uptime, ...rest } = status;
    const plain = Object.entries(rest).filter(([, value]) => typeof value !== "object" || value === null);
    const deep = Object.entries(rest).filter(([, value]) => typeof value === "object" && value !== null);
    this.#place.replaceChildren(
      facts([["version", version], ["running_for_seconds", uptime], ...plain]),
      ...[/** @type {[string, unknown]} */ (["models", models]), ...deep].map(([name, value]) => h("section", {}, h("h2", {}, title(name)), shown(value))),
    );
  }
}

/** A name of a field as people write it. @param {string} name */
function title(name) {
  const words = name.replace(/_(seconds|bytes)$/, "").replaceAll("_", " ");
  return words.charAt(0).toUpperCase() + words.slice(1);
}

/** @param {[string, unknown][]} entries */
function facts(entries) {
  return h("dl", { class: "facts-list" }, ...entries.filter(([, value]) => value !== undefined && value !== null).map(([name, value]) => h("div", {}, h("dt", {}, title(name)), h("dd", {}, shown(value, name)))));
}

/** Whatever it is: the server may learn to say more than this page knows. @param {unknown} value @param {string} [name] @returns {Node | string} */
function shown(value, name = "") {
  if (value === null || value === "") return "none";
  if (typeof value === "boolean") return value ? "yes" : "no";
  if (typeof value === "number" && /seconds|uptime/.test(name)) return value < 60 ? `${Number(value.toPrecision(3))} s` : roughly(value);
  if (typeof value === "number" && /bytes/.test(name)) return size(value);
  if (typeof value === "number") return Number.isInteger(value) ? value.toLocaleString("en") : value.toFixed(2);
  if (Array.isArray(value)) {
    if (value.length === 0) return "none";
    if (value.every((item) => typeof item === "object" && item !== null)) return table(value);
    return value.map((item) => (typeof item === "object" ? JSON.stringify(item) : String(item))).join(", ");
  }
  if (typeof value === "object") return facts(Object.entries(/** @type {Record<string, unknown>} */ (value)));
  return String(value);
}

/** @param {Record<string, unknown>[]} rows */
function table(rows) {
  const columns = [...new Set(rows.flatMap((row) => Object.keys(row)))];
  return h(
    "div",
    { class: "scroll", tabindex: 0, role: "region", "aria-label": count(rows.length, "row") },
    h(
      "table",
      {},
      h("thead", {}, h("tr", {}, ...columns.map((column) => h("th", { scope: "col" }, title(column))))),
      h("tbody", {}, ...rows.map((row) => h("tr", {}, ...columns.map((column) => h("td", {}, row[column] === undefined ? "" : shown(row[column], column)))))),
    ),
  );
}

customElements.define("server-status", ServerStatus);
