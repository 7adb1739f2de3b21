// All transcripts: those on their way to the server, those that it works on, and those that are done.

import { cancelJob, deleteJob, listJobs } from "./api.js";
import { confirmed } from "./dialogs.js";
import { announce, h, iconButton, notice } from "./element.js";
import { ago, clock, moment, size } from "./format.js";
import { languageName } from "./languages.js";
import { problem } from "./problem.js";
import { forgetJob } from "./storage.js";
import { uploads } from "./uploads.js";

/** @import { Job } from "../types.js" */
/** @import { Upload } from "./uploads.js" */

const PAGE = 50;
/** Milliseconds between looks, while something is being done and while nothing is. */
const [BUSY, IDLE] = [1500, 20_000];

export const isActive = (/** @type {Job} */ job) => job.status === "queued" || job.status === "running";

/** @type {[string, string, (job: Job) => boolean][]} */
const KINDS = [
  ["all", "All", () => true],
  ["active", "In work", isActive],
  ["succeeded", "Done", (job) => job.status === "succeeded"],
  ["failed", "Failed", (job) => job.status === "failed" || job.status === "cancelled"],
];

export class JobList extends HTMLElement {
  /** @type {Job[]} */
  #jobs = [];
  #hasMore = false;
  #isLoaded = false;
  #kind = "all";
  /** @type {Map<string, {row: HTMLElement, look: string}>} */
  #rows = new Map();
  #filter = h("input", { type: "search", "aria-label": "Find by name", placeholder: "Find by name", id: "filter" });
  #kinds = h("div", { class: "kinds", role: "group", "aria-label": "Which" });
  #tools = h("div", { class: "list-tools" }, this.#filter, this.#kinds);
  #list = h("ul", { class: "jobs" });
  #trouble = h("div");
  #empty = h("p", { class: "empty" });
  #more = h("button", { type: "button", onclick: () => void this.#loadMore() }, "Show older ones");
  #timer = 0;
  #stop = new AbortController();
  #onUploads = () => this.#show();
  #onJob = () => void this.#load();
  #onVisible = () => document.visibilityState === "visible" && void this.#load();

  connectedCallback() {
    this.#kinds.append(
      ...KINDS.map(([kind, name]) => h("button", { type: "button", "aria-pressed": kind === this.#kind, "data-kind": kind, onclick: () => this.#choose(kind) }, name)),
    );
    this.append(h("section", { "aria-labelledby": "jobs-title" }, h("h2", { id: "jobs-title" }, "Transcripts"), this.#tools, this.#trouble, this.#list, this.#empty, this.#more));
    this.#filter.addEventListener("input", () => this.#show());
    uploads.addEventListener("change", this.#onUploads);
    uploads.addEventListener("job", this.#onJob);
    document.addEventListener("visibilitychange", this.#onVisible);
    this.#choose("all");
    void this.#load();
  }

  disconnectedCallback() {
    this.#stop.abort();
    clearTimeout(this.#timer);
    uploads.removeEventListener("change", this.#onUploads);
    uploads.removeEventListener("job", this.#onJob);
    document.removeEventListener("visibilitychange", this.#onVisible);
  }

  /** @param {string} kind */
  #choose(kind) {
    this.#kind = kind;
    for (const button of this.#kinds.querySelectorAll("button")) button.setAttribute("aria-pressed", String(button.dataset.kind === kind));
    this.#show();
  }

  async #load() {
    clearTimeout(this.#timer);
    try {
      const page = await listJobs({ limit: PAGE }, this.#stop.signal);
      // Older ones that were asked for stay, behind the newest.
      const last = page.data.at(-1);
      const older = page.has_more && last ? this.#jobs.slice(this.#jobs.findIndex((job) => job.id === last.id) + 1) : [];
      const isMoreKnown = older.length > 0 && this.#jobs.some((job) => job.id === last?.id);
      if (!isMoreKnown) this.#hasMore = page.has_more;
      this.#jobs = [...page.data, ...(isMoreKnown ? older : [])];
      this.#isLoaded = true;
      this.#trouble.replaceChildren();
      this.#show();
    } catch (error) {
      if (this.#stop.signal.aborted) return;
      this.#trouble.replaceChildren(problem(error, () => void this.#load()));
      return;
    }
    if (document.visibilityState !== "visible") return;
    this.#timer = window.setTimeout(() => void this.#load(), this.#jobs.some(isActive) ? BUSY : IDLE);
  }

  async #loadMore() {
    try {
      const page = await listJobs({ limit: PAGE, after: this.#jobs.at(-1)?.id }, this.#stop.signal);
      this.#jobs.push(...page.data);
      this.#hasMore = page.has_more;
      this.#show();
    } catch (error) {
      if (!this.#stop.signal.aborted) notice(error instanceof Error ? error.message : String(error));
    }
  }

  #show() {
    const words = this.#filter.value.trim().toLowerCase();
    const suits = KINDS.find(([kind]) => kind === this.#kind)?.[2] ?? (() => true);
    const sending = this.#kind === "all" || this.#kind === "active" ? uploads.list : [];
    const jobs = this.#jobs.filter((job) => suits(job) && (job.name ?? "").toLowerCase().includes(words));
    /** @type {HTMLElement[]} */
    const rows = [...sending.map((upload) => this.#row(`upload ${upload.number}`, lookOf(upload), () => uploadRow(upload))), ...jobs.map((job) => this.#row(job.id, `${JSON.stringify(job)} ${ago(job.created_at)}`, () => this.#jobRow(job)))];
    rows.forEach((row, at) => {
      if (this.#list.children[at] !== row) this.#list.insertBefore(row, this.#list.children[at] ?? null);
    });
    while (this.#list.children.length > rows.length) this.#list.lastElementChild?.remove();
    const isNothing = this.#jobs.length === 0 && uploads.list.length === 0;
    this.#tools.hidden = isNothing;
    this.#list.hidden = rows.length === 0;
    this.#empty.hidden = !this.#isLoaded || rows.length > 0;
    this.#empty.textContent = isNothing ? "There are none yet." : "None of them is like that.";
    this.#more.hidden = !this.#hasMore;
  }

  /** A row is made anew only if it looks different, and the focus stays in it. @param {string} id @param {string} look @param {() => HTMLElement} make */
  #row(id, look, make) {
    const known = this.#rows.get(id);
    if (known?.look === look) return known.row;
    const row = make();
    if (known) {
      const focused = known.row.contains(document.activeElement) ? document.activeElement?.getAttribute("data-role") : null;
      known.row.replaceWith(row);
      if (focused) /** @type {HTMLElement | null} */ (row.querySelector(`[data-role="${focused}"]`))?.focus();
    }
    this.#rows.set(id, { row, look });
    return row;
  }

  /** @param {Job} job */
  #jobRow(job) {
    const name = job.name || "Without a name";
    const part = job.duration && job.processed ? job.processed / job.duration : 0;
    const states = { queued: "Waiting", running: part > 0 ? `${Math.round(part * 100)} %` : "Listening", succeeded: "", failed: "Failed", cancelled: "Cancelled" };
    const facts = [states[job.status], job.language ? languageName(job.language) : "", job.model].filter(Boolean);
    return h(
      "li",
      { class: `job ${job.status}` },
      h("a", { class: "job-name", href: `#/jobs/${encodeURIComponent(job.id)}`, "data-role": "open", dir: "auto" }, name),
      h("span", { class: "job-length" }, job.duration ? clock(job.duration) : ""),
      h("span", { class: "job-facts" }, `${facts.join(" · ")} · `, h("time", { datetime: new Date(job.created_at * 1000).toISOString(), title: moment(job.created_at) }, ago(job.created_at))),
      job.status === "failed" && job.error ? h("span", { class: "job-reason" }, job.error.message) : null,
      job.status === "running" ? h("progress", { max: 1, value: part, "aria-label": `Progress of ${name}` }) : null,
      isActive(job)
        ? iconButton("close", `Cancel ${name}`, () => void this.#cancel(job), { bare: true, class: "job-action" })
        : iconButton("delete", `Delete ${name}`, () => void this.#delete(job), { bare: true, class: "job-action" }),
    );
  }

  /** @param {Job} job */
  async #cancel(job) {
    try {
      await cancelJob(job.id);
      announce("Cancelled");
    } catch (error) {
      notice(error instanceof Error ? error.message : String(error));
    }
    void this.#load();
  }

  /** @param {Job} job */
  async #delete(job) {
    if (!(await confirmDelete(job))) return;
    try {
      await deleteJob(job.id);
      forgetJob(job.id);
      this.#jobs = this.#jobs.filter((other) => other.id !== job.id);
      announce("Deleted");
      this.#show();
    } catch (error) {
      notice(error instanceof Error ? error.message : String(error));
    }
    void this.#load();
  }
}

/** @param {Job} job */
export const confirmDelete = (job) =>
  confirmed(`Delete “${job.name || "Without a name"}”?`, "The sound, the text and your changes to it are gone then, here and on the server.", "Delete");

/** @param {Upload} upload */
const lookOf = ({ state, sent, error, again }) => `${state} ${Math.round(sent * 200)} ${error} ${again}`;

/** @param {Upload} upload */
function uploadRow(upload) {
  const { file, state, sent, error, again } = upload;
  const texts = { waiting: "To be sent", sending: sent < 1 ? `Being sent, ${Math.round(sent * 100)} %` : "Sent; the server looks at it", held: error, failed: error };
  const wait = h("span", {});
  if (state === "held") countDown(wait, again);
  return h(
    "li",
    { class: `job upload ${state}` },
    h("span", { class: "job-name", dir: "auto" }, file.name),
    h("span", { class: "job-length" }, size(file.size)),
    h("span", { class: state === "failed" ? "job-reason" : "job-facts" }, texts[state], wait),
    state === "sending" ? h("progress", { max: 1, value: sent, "aria-label": `Sending ${file.name}` }) : null,
    h(
      "span",
      { class: "job-action" },
      state === "failed" ? iconButton("again", `Send ${file.name} again`, () => uploads.retry(upload), { bare: true }) : null,
      iconButton("close", `Do not send ${file.name}`, () => uploads.remove(upload), { bare: true }),
    ),
  );
}

/** @param {HTMLElement} place @param {number} until */
function countDown(place, until) {
  const tick = () => {
    const left = Math.max(0, Math.ceil((until - Date.now()) / 1000));
    place.textContent = ` Again in ${left} s.`;
    if (left > 0) setTimeout(() => place.isConnected && tick(), 300);
  };
  tick();
}

customElements.define("job-list", JobList);
