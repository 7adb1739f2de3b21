// One recording: how far it is, its text as it comes, and everything that can be done with it then.

import { ApiError, getJob, getResult } from "./api.js";
import { askForSpeaker } from "./dialogs.js";
import { announce, h, iconButton, notice, present } from "./element.js";
import { follow } from "./events.js";
import { ExportMenu, copyText } from "./export-menu.js";
import { FindBar } from "./find-bar.js";
import { ago, clock, count, moment } from "./format.js";
import { again, showAbout } from "./job-about.js";
import { isActive } from "./job-list.js";
import { JobState } from "./job-state.js";
import { languageName } from "./languages.js";
import { problem } from "./problem.js";
import { pressed } from "./shortcuts.js";
import { SoundPlayer } from "./sound-player.js";
import { recall, remember } from "./storage.js";
import { Transcript } from "./transcript.js";
import { TranscriptText } from "./transcript-text.js";
import { withTokens } from "./words.js";

/** @import { Job, RawSegment } from "../types.js" */

export class JobView extends HTMLElement {
  /** @type {Job | null} */
  #job = null;
  /** What has come so far, by number. @type {Map<number, RawSegment>} */
  #coming = new Map();
  /** @type {Transcript | null} */
  #transcript = null;
  /** @type {FindBar | null} */
  #find = null;
  #player = new SoundPlayer();
  #text = new TranscriptText();
  #title = h("h1", { tabindex: -1, dir: "auto" }, "…");
  #facts = h("p", { class: "facts" });
  #state = new JobState();
  #tools = h("div", { class: "tools", role: "toolbar", "aria-label": "Transcript", hidden: true });
  #findPlace = h("div", { class: "find-place" });
  #follow = iconButton("down", "Back to what is played", () => this.#text.follow(), { class: "follow" });
  #about = h("div", { class: "about" });
  #together = recall("lines") !== true;
  #stop = new AbortController();

  /** @param {string} id */
  constructor(id) {
    super();
    this.id_ = id;
    this.#follow.hidden = true;
  }

  connectedCallback() {
    this.append(
      h(
        "article",
        {},
        this.#title,
        this.#facts,
        this.#state,
        this.#tools,
        this.#findPlace,
        this.#text,
        this.#about,
      ),
      this.#follow,
    );
    this.#text.dataset.marks = String(recall("marks") !== false);
    this.#listen();
    void this.#load();
  }

  disconnectedCallback() {
    this.#text.closeEditors();
    this.#stop.abort();
  }

  #listen() {
    const { signal } = this.#stop;
    document.addEventListener("keydown", (event) => this.#key(event), { signal });
    addEventListener("pagehide", () => this.#text.closeEditors(), { signal });
    this.#player.addEventListener("time", () => this.#text.light(this.#player.time));
    this.#player.addEventListener("state", () => this.#showFollow());
    this.#text.addEventListener("follow", () => this.#showFollow());
    this.#text.addEventListener("seek", (event) => {
      const { time, play } = /** @type {CustomEvent<{time: number, play: boolean}>} */ (event).detail;
      this.#text.isFollowing = true;
      if (play) this.#player.playFrom(time);
      else this.#player.seek(time);
      this.#showFollow();
    });
    this.#state.addEventListener("cancelled", (event) => this.#learn(/** @type {CustomEvent<Job>} */ (event).detail));
    this.#state.addEventListener("again", () => this.#job && void again(this.#job));
    this.#text.addEventListener("edit", (event) => this.#transcript?.change(/** @type {CustomEvent} */ (event).detail));
    this.#text.addEventListener("speaker", (event) => void this.#rename(/** @type {CustomEvent<number[]>} */ (event).detail));
  }

  #showFollow() {
    this.#follow.hidden = this.#text.isFollowing || !this.#player.isPlaying;
  }

  async #load() {
    const { signal } = this.#stop;
    try {
      const job = await getJob(this.id_, signal);
      this.append(this.#player);
      void this.#player.open(job.id, job.duration ?? 0);
      this.#learn(job);
      if (isActive(job)) await follow(job.id, (event) => this.#happened(event), signal);
      if (!signal.aborted && this.#job?.status === "succeeded") await this.#finish();
    } catch (error) {
      if (signal.aborted) return;
      const isGone = error instanceof ApiError && error.status === 404;
      this.#title.textContent = isGone ? "There is no such transcript" : "It could not be shown";
      this.#state.replaceChildren(isGone ? h("p", {}, "It was deleted, or it was kept as long as the server keeps them.") : problem(error, () => void this.#load()));
      if (isGone) document.title = "Not there – Amanuensis";
    }
  }

  /** @param {import("../types.js").JobEvent} event */
  #happened(event) {
    if (event.type === "job.status" || event.type === "job.done") this.#learn(event.job);
    else if (event.type === "job.segment") {
      this.#coming.set(event.segment.id, event.segment);
      this.#showComing();
    } else if (event.type === "job.progress" && this.#job) {
      this.#learn({ ...this.#job, status: "running", processed: event.processed, duration: event.total || this.#job.duration });
    }
  }

  #showComing() {
    const segments = withTokens([...this.#coming.values()].sort((one, other) => one.id - other.id));
    const fresh = segments.map((_, at) => at).slice(this.#text.querySelectorAll(".segment").length);
    this.#text.show(segments, { editable: false, together: this.#together, changed: fresh });
  }

  /** @param {Job} job */
  #learn(job) {
    this.#job = job;
    this.#title.textContent = job.name || "Without a name";
    const facts = [job.language ? languageName(job.language) : "", job.duration ? clock(job.duration) : "", job.model];
    this.#facts.replaceChildren(`${facts.filter(Boolean).join(" · ")} · `, h("time", { title: moment(job.created_at), datetime: new Date(job.created_at * 1000).toISOString() }, ago(job.created_at)));
    this.#state.show(job);
    if (!isActive(job)) this.#showAbout();
  }

  async #finish() {
    const result = await getResult(this.id_, this.#stop.signal);
    const transcript = new Transcript(this.id_, result);
    this.#transcript = transcript;
    this.#text.isChanged = (at) => transcript.isChanged(at);
    this.#find = new FindBar(transcript, this.#text);
    this.#find.hidden = true;
    this.#find.addEventListener("close", () => /** @type {HTMLElement | null} */ (this.#tools.querySelector("[data-role=search]"))?.focus());
    this.#findPlace.replaceChildren(this.#find);
    transcript.addEventListener("change", (event) => {
      const { places, isKept } = /** @type {CustomEvent} */ (event).detail;
      this.#show(places);
      if (!isKept) notice("This browser has no room to keep the change: export before you leave.");
    });
    if (this.#coming.size > 0) announce("Finished");
    const warnings = (result.warnings ?? []).map((warning) => h("p", { class: "aside" }, typeof warning === "string" ? warning : /** @type {any} */ (warning)?.message ?? JSON.stringify(warning)));
    this.#state.replaceChildren(...warnings);
    if (result.segments.length === 0) {
      this.#text.replaceChildren(h("p", { class: "empty" }, "No speech was found in this recording."));
      this.#text.hidden = false;
      return;
    }
    this.#show();
  }

  /** @param {number[]} [changed] */
  #show(changed) {
    if (!this.#transcript) return;
    this.#text.show(this.#transcript.segments, { editable: true, together: this.#together, changed });
    this.#find?.refresh();
    this.#showTools(this.#transcript);
    this.#showAbout();
  }

  /** @param {Transcript} transcript */
  #showTools(transcript) {
    const focused = this.#tools.contains(document.activeElement) ? document.activeElement?.getAttribute("data-role") : null;
    const role = (/** @type {HTMLButtonElement} */ button, /** @type {string} */ name) => (button.setAttribute("data-role", name), button);
    const marks = this.#text.dataset.marks === "true";
    const undo = role(iconButton("undo", "Undo", () => this.#undo(), { bare: true, title: "Undo (Ctrl+Z)" }), "undo");
    const redo = role(iconButton("redo", "Redo", () => this.#redo(), { bare: true, title: "Redo (Ctrl+Shift+Z)" }), "redo");
    undo.disabled = !transcript.canUndo;
    redo.disabled = !transcript.canRedo;
    const lines = role(iconButton("lines", "Every segment on its own line", () => this.#toggleLines(), { bare: true }), "lines");
    lines.setAttribute("aria-pressed", String(!this.#together));
    const unsure = role(iconButton("marks", `Mark unsure words (${this.#text.unsureCount})`, () => this.#toggleMarks(), { bare: true }), "marks");
    unsure.setAttribute("aria-pressed", String(marks));
    this.#tools.hidden = false;
    this.#tools.replaceChildren(
      ...present([
        role(iconButton("search", "Search", () => this.#find?.open(), { bare: true, title: "Search (/)" }), "search"),
        lines,
        transcript.hasDoubts && unsure,
        undo,
        redo,
        h("span", { class: "space" }),
        role(iconButton("copy", "Copy", () => void copyText(transcript.plain(this.#text.groups)), {}), "copy"),
        this.#tools.querySelector("export-menu") ?? new ExportMenu(this.id_, this.#job?.name || "transcript", () => this.#edited()),
      ]),
    );
    if (focused) /** @type {HTMLElement | null} */ (this.#tools.querySelector(`[data-role="${focused}"]`))?.focus();
  }

  /** With what is still being written. */
  #edited() {
    this.#text.closeEditors();
    return this.#transcript?.isEdited ? this.#transcript.edited() : null;
  }

  #showAbout() {
    if (!this.#job) return;
    showAbout(this.#about, this.#job, this.#transcript?.isEdited ? () => this.#restore() : null);
  }

  #restore() {
    this.#transcript?.restore();
    notice("The original is back.", { label: "Undo", act: () => this.#undo() });
  }

  #undo() {
    if (!this.#transcript?.canUndo) return;
    this.#transcript.undo();
    announce("Undone");
  }

  #redo() {
    if (!this.#transcript?.canRedo) return;
    this.#transcript.redo();
    announce("Done again");
  }

  #toggleLines() {
    this.#together = !this.#together;
    remember("lines", !this.#together);
    this.#text.closeEditors();
    this.#show();
  }

  #toggleMarks() {
    const marks = this.#text.dataset.marks !== "true";
    this.#text.dataset.marks = String(marks);
    remember("marks", marks);
    if (this.#transcript) this.#showTools(this.#transcript);
  }

  #nextUnsure() {
    const found = this.#text.nextUnsure();
    if (!found) return announce("No word is unsure");
    this.#player.seek(found.start);
    announce(`${found.word}, ${Math.round(found.probability * 100)} percent sure. ${count(this.#text.unsureCount, "unsure word")} in all.`);
  }

  /** @param {number[]} group */
  async #rename(group) {
    const transcript = this.#transcript;
    if (!transcript) return;
    const old = transcript.segments[group[0]].speaker;
    const answer = await askForSpeaker(old);
    if (!answer) return;
    const places = answer.everywhere ? transcript.segments.flatMap((segment, at) => (segment.speaker === old ? [at] : [])) : group;
    transcript.change(places.map((at) => ({ at, field: "speaker", after: answer.name })));
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    const player = this.#player;
    const at = (/** @type {-1 | 1} */ direction, /** @type {boolean} */ isSegment) => {
      this.#text.isFollowing = true;
      player.seek(this.#text.neighbour(direction, isSegment));
    };
    /** @type {Record<string, () => void>} */
    const keys = {
      " ": () => player.toggle(), k: () => player.toggle(), "Alt+k": () => player.toggle(),
      j: () => player.move(-5), "Alt+j": () => player.move(-5), l: () => player.move(5), "Alt+l": () => player.move(5),
      ArrowLeft: () => at(-1, false), ArrowRight: () => at(1, false), "[": () => at(-1, true), "]": () => at(1, true),
      "<": () => player.changeSpeed(-1), ">": () => player.changeSpeed(1),
      f: () => this.#text.follow(), "/": () => this.#find?.open(), e: () => this.#text.edit(), u: () => this.#nextUnsure(),
      undo: () => this.#undo(), redo: () => this.#redo(),
    };
    const action = keys[pressed(event) ?? ""];
    if (!action) return;
    event.preventDefault();
    action();
  }
}

customElements.define("job-view", JobView);
