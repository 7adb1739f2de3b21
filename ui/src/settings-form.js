// How a recording is to be transcribed. What was chosen last is there the next time, the hints aside.

import { models } from "./api.js";
import { h } from "./element.js";
import { languages } from "./languages.js";
import { problem } from "./problem.js";
import { recall, remember } from "./storage.js";

/** @import { Settings } from "../types.js" */

/** @type {Settings} */
const DEFAULTS = { model: "", language: "", task: "transcribe", words: true, silences: false, care: false, prompt: "", hotwords: "" };

export class SettingsForm extends HTMLElement {
  #model = h("select", { id: "model", disabled: true }, h("option", { value: "" }, "…"));
  #language = h("select", { id: "language" }, h("option", { value: "" }, "Found by listening"), ...languages().map(({ code, name }) => h("option", { value: code }, name)));
  #task = h("select", { id: "task" }, h("option", { value: "transcribe" }, "Write what is said"), h("option", { value: "translate" }, "Translate into English"));
  #words = h("input", { type: "checkbox" });
  #silences = h("input", { type: "checkbox" });
  #care = h("input", { type: "checkbox" });
  #prompt = h("textarea", { id: "prompt", rows: 2, placeholder: "A text as if it had been said before: names, spellings, style" });
  #hotwords = h("input", { id: "hotwords", type: "text", placeholder: "Names and terms that may come up" });
  #trouble = h("div");
  #isLive;
  #stop = new AbortController();

  /** @param {{isLive?: boolean}} [how] without what only recordings have */
  constructor({ isLive = false } = {}) {
    super();
    this.#isLive = isLive;
  }

  connectedCallback() {
    const chosen = { ...DEFAULTS, .../** @type {Partial<Settings>} */ (recall("settings")) };
    this.#language.value = chosen.language;
    this.#task.value = chosen.task;
    this.#words.checked = chosen.words;
    this.#silences.checked = chosen.silences;
    this.#care.checked = chosen.care;
    this.append(
      h("div", { class: "fields" }, field("Model", this.#model), field("Language", this.#language)),
      this.#trouble,
      h(
        "details",
        { class: "more" },
        h("summary", {}, "More options"),
        h(
          "div",
          { class: "more-fields" },
          field("Task", this.#task),
          ...(this.#isLive ? [field("Said before", this.#prompt)] : this.#forRecordings()),
        ),
      ),
    );
    this.#model.addEventListener("change", () => this.#fit());
    this.addEventListener("change", () => this.#keep());
    void this.#load(chosen.model);
  }

  disconnectedCallback() {
    this.#stop.abort();
  }

  #forRecordings() {
    return [
      field("Words to expect", this.#hotwords),
      field("Said before", this.#prompt),
      check(this.#words, "Times of words", "The text lights up word by word as it is played."),
      check(this.#silences, "Leave silences out", "Faster where there are many, and less is invented in them."),
      check(this.#care, "Take more care", "Weighs five readings against each other; slower."),
    ];
  }

  /** @param {string} chosen */
  async #load(chosen) {
    this.#trouble.replaceChildren();
    try {
      const names = await models(this.#stop.signal);
      this.#model.replaceChildren(...names.map((name) => h("option", { value: name }, name)));
      if (names.includes(chosen)) this.#model.value = chosen;
      this.#model.disabled = false;
      this.#fit();
    } catch (error) {
      if (!this.#stop.signal.aborted) this.#trouble.append(problem(error, () => void this.#load(chosen)));
    }
  }

  /** Models for English only know nothing else. */
  #fit() {
    const isEnglish = /\.en\b/.test(this.#model.value);
    this.#language.disabled = isEnglish;
    this.#task.disabled = isEnglish;
  }

  #keep() {
    remember("settings", { ...this.settings, prompt: "", hotwords: "" });
  }

  get isReady() {
    return !this.#model.disabled && this.#model.value !== "";
  }

  /** @returns {Settings} */
  get settings() {
    return {
      model: this.#model.value,
      language: this.#language.disabled ? "" : this.#language.value,
      task: !this.#task.disabled && this.#task.value === "translate" ? "translate" : "transcribe",
      words: this.#words.checked,
      silences: this.#silences.checked,
      care: this.#care.checked,
      prompt: this.#prompt.value,
      hotwords: this.#hotwords.value,
    };
  }
}

/** @param {string} name @param {HTMLElement} control */
function field(name, control) {
  return h("div", { class: "field" }, h("label", { for: control.id }, name), control);
}

/** @param {HTMLInputElement} box @param {string} name @param {string} about */
function check(box, name, about) {
  return h("label", { class: "check" }, box, h("span", {}, name, h("span", { class: "hint" }, about)));
}

customElements.define("settings-form", SettingsForm);
