// How far a job is: waiting, being heard, failed. Nothing is shown of one that is done.

import { cancelJob, getStatus } from "./api.js";
import { announce, h, icon, notice } from "./element.js";
import { roughly } from "./format.js";
import { isActive } from "./job-list.js";

/** @import { Job } from "../types.js" */

/** Tells with `cancelled` (a CustomEvent with the job) that it was cancelled, and with `again` that it is wanted again. */
export class JobState extends HTMLElement {
  /** @type {Job | null} */
  #job = null;
  /** What was last said of its progress. */
  #said = 0;
  #timer = 0;

  disconnectedCallback() {
    clearTimeout(this.#timer);
  }

  /** @param {Job} job */
  show(job) {
    const isNew = this.#job?.status !== job.status;
    this.#job = job;
    const part = job.duration && job.processed ? Math.min(1, job.processed / job.duration) : 0;
    const percent = `${Math.round(part * 100)} %`;
    const state = { queued: "Waiting · ", running: `${percent} · `, failed: "Failed · ", cancelled: "", succeeded: "" }[job.status];
    document.title = `${state}${job.name || "Transcript"} – Amanuensis`;
    // Drawn once and then only changed, so that a screen reader keeps its place.
    if (isNew) this.#draw(job);
    if (job.status === "running") this.#progress(job, part, percent);
  }

  /** @param {Job} job */
  #draw(job) {
    if (isActive(job)) {
      const isWaiting = job.status === "queued";
      this.replaceChildren(
        h("p", { class: "state-line" }, h("span", { "data-part": true }, isWaiting ? "Waiting for its turn" : "Listening"), h("span", { class: "hint", "data-left": true })),
        h("progress", { max: 1, value: isWaiting ? 0 : null, "aria-label": "Progress" }),
        h("button", { type: "button", class: "quiet", onclick: () => void this.#cancel() }, "Cancel"),
      );
      this.#said = 0;
      announce(isWaiting ? "Waiting" : "The server is listening");
      void this.#lookAround();
    } else if (job.status === "succeeded") {
      this.replaceChildren();
    } else {
      const isFailed = job.status === "failed";
      this.replaceChildren(
        h(
          "div",
          { class: isFailed ? "problem" : "aside", role: isFailed ? "alert" : null },
          isFailed ? icon("alert") : null,
          h("p", {}, isFailed ? job.error?.message || "The server did not say why." : "This was cancelled."),
          h("button", { type: "button", onclick: () => this.dispatchEvent(new Event("again")) }, "Try again"),
        ),
      );
    }
  }

  /** @param {Job} job @param {number} part @param {string} percent */
  #progress(job, part, percent) {
    const bar = this.querySelector("progress");
    if (!bar || part === 0) return;
    bar.value = part;
    this.#say("part", `${percent} heard`);
    const passed = job.started_at ? Date.now() / 1000 - job.started_at : 0;
    this.#say("left", part > 0.05 && passed > 2 && part < 1 ? `about ${roughly((passed * (1 - part)) / part)} left` : "");
    if (part - this.#said < 0.25) return;
    this.#said = part;
    announce(`${percent} heard`);
  }

  /** @param {"part" | "left"} place @param {string} text */
  #say(place, text) {
    const element = this.querySelector(`[data-${place}]`);
    if (element && element.textContent !== text) element.textContent = text;
  }

  /** What it waits for: the sound that is ahead, or the model. The status may be closed to this key; then it is not said. */
  async #lookAround() {
    clearTimeout(this.#timer);
    const job = this.#job;
    if (!this.isConnected || !job || !isActive(job) || (job.processed ?? 0) > 0) return;
    const status = await getStatus().catch(() => null);
    const isLoading = (status?.models ?? []).some((/** @type {any} */ model) => model?.state === "loading");
    const ahead = status?.queue?.queued_seconds;
    if (isLoading) this.#say("part", "The model is being loaded");
    else if (job.status === "queued") this.#say("left", typeof ahead === "number" && ahead > 0 ? `${roughly(ahead)} of sound in the queue` : "");
    this.#timer = window.setTimeout(() => void this.#lookAround(), 2000);
  }

  async #cancel() {
    try {
      this.dispatchEvent(new CustomEvent("cancelled", { detail: await cancelJob(this.#job?.id ?? "") }));
    } catch (error) {
      notice(error instanceof Error ? error.message : String(error));
    }
  }
}

customElements.define("job-state", JobState);
