// Captions of what is said into the microphone, while it is said.

import { announce, h, iconButton } from "./element.js";
import { ExportMenu, copyText } from "./export-menu.js";
import { clock } from "./format.js";
import { LevelMeter } from "./level-meter.js";
import { LiveSession } from "./live-session.js";
import { SettingsForm } from "./settings-form.js";
import { whyNoMicrophone, whyRefused } from "./sound-recorder.js";

/** @import { LiveMessage, RawSegment, Result } from "../types.js" */

/** Seconds behind from which it is said, and seconds without a sound. */
const BEHIND = 3;
const SILENT = 4;

export class LiveCaptions extends HTMLElement {
  #settings = new SettingsForm({ isLive: true });
  #start = iconButton("microphone", "Start", () => void this.#begin(), { class: "primary large" });
  #stop = iconButton("stop", "Stop", () => this.#finish(), { class: "primary" });
  #time = h("span", { class: "recorder-time", role: "timer" }, "0:00");
  #meter = new LevelMeter();
  #note = h("p", { class: "hint", role: "status" });
  #bar = h("div", { class: "recorder", role: "group", "aria-label": "Live captions", hidden: true }, h("div", { class: "recorder-row" }, this.#time, this.#meter, this.#stop), this.#note);
  #lines = h("div", { class: "captions-lines", role: "log", "aria-label": "Captions", tabindex: 0 });
  // Not spoken: what may still change would be read again and again.
  #coming = h("p", { class: "captions-coming", "aria-hidden": "true", dir: "auto" });
  #trouble = h("div");
  #tools = h("div", { class: "tools", role: "toolbar", "aria-label": "Captions", hidden: true });
  /** @type {LiveSession | null} */
  #session = null;
  /** @type {MediaStream | null} */
  #stream = null;
  /** @type {AudioContext | null} */
  #context = null;
  /** @type {RawSegment[]} */
  #segments = [];
  #timer = 0;
  #lag = 0;
  #hasFailed = false;
  /** Which utterance the last paragraph belongs to. */
  #utterance = -1;

  connectedCallback() {
    const refusal = whyNoMicrophone();
    this.#tools.append(
      iconButton("copy", "Copy", () => void copyText(this.#text())),
      new ExportMenu("", `Captions ${new Date().toLocaleDateString("sv")}`, () => this.#result()),
    );
    this.append(
      h(
        "section",
        { class: "new", "aria-labelledby": "live-title" },
        h("h1", { id: "live-title", tabindex: -1 }, "Live captions"),
        refusal ? h("p", { class: "hint" }, refusal) : "",
        this.#settings,
        refusal ? "" : this.#start,
        this.#trouble,
        this.#bar,
        this.#tools,
        h("div", { class: "captions" }, this.#lines, this.#coming),
      ),
    );
  }

  disconnectedCallback() {
    this.#session?.close();
    this.#release();
  }

  async #begin() {
    if (!this.#settings.isReady) return;
    this.#trouble.replaceChildren();
    this.#start.disabled = true;
    try {
      this.#stream = await navigator.mediaDevices.getUserMedia({ audio: { channelCount: 1 } });
    } catch (error) {
      this.#start.disabled = false;
      return this.#fail(whyRefused(error));
    }
    try {
      await this.#listen(this.#stream);
    } catch (error) {
      this.#release();
      this.#start.disabled = false;
      this.#fail(`The sound could not be taken from the browser: ${error instanceof Error ? error.message : error}`);
    }
  }

  /** @param {MediaStream} stream */
  async #listen(stream) {
    // More than 48,000 samples a second would only be thrown away.
    let context = new AudioContext();
    if (context.sampleRate > 48_000) {
      void context.close();
      context = new AudioContext({ sampleRate: 48_000 });
    }
    this.#context = context;
    await context.audioWorklet.addModule("src/pcm-sender.js");
    if (!this.isConnected) return this.#release();
    const source = context.createMediaStreamSource(stream);
    const sender = new AudioWorkletNode(context, "pcm-sender", { numberOfOutputs: 0, channelCount: 1, channelCountMode: "explicit" });
    const session = new LiveSession(this.#settings.settings, context.sampleRate);
    this.#session = session;
    sender.port.addEventListener("message", ({ data }) => session.send(data));
    sender.port.start();
    source.connect(sender);
    this.#meter.watch(source);
    stream.getAudioTracks()[0].addEventListener("ended", () => this.#finish());
    session.addEventListener("message", (event) => this.#told(/** @type {CustomEvent<LiveMessage>} */ (event).detail));
    session.addEventListener("state", () => this.#show());
    this.#clear();
    this.#watch();
    this.#show();
    this.#stop.focus();
  }

  #watch() {
    const begun = performance.now();
    let last = begun;
    this.#timer = window.setInterval(() => {
      const now = performance.now();
      this.#time.textContent = clock((now - begun) / 1000);
      const quiet = this.#meter.look((now - last) / 1000);
      last = now;
      this.#say(quiet);
    }, 60);
  }

  /** @param {number} quiet seconds for which nothing was heard */
  #say(quiet) {
    const state = this.#session?.state;
    const text =
      state === "connecting" ? "Connecting; what is said is kept."
      : state === "lost" ? "The connection is lost. What is said is kept, and it is tried again."
      : this.#lag > BEHIND ? `The captions are ${Math.round(this.#lag)} seconds behind: the server has more to hear than it can.`
      : quiet > SILENT ? "Nothing is heard. Is the microphone muted?"
      : "";
    if (this.#note.textContent !== text) this.#note.textContent = text;
  }

  #finish() {
    this.#release();
    this.#stop.disabled = true;
    this.#note.textContent = "The last words are being written.";
    this.#session?.finish();
  }

  /** @param {LiveMessage} message */
  #told(message) {
    if ("lag" in message && typeof message.lag === "number") this.#lag = message.lag;
    if (message.type === "partial") this.#coming.textContent = message.text;
    else if (message.type === "final") this.#add(message);
    else if (message.type === "error") this.#fail(message.error.message);
    this.#keepUp();
  }

  /** @param {Extract<LiveMessage, {type: "final"}>} line */
  #add(line) {
    const { id, start, end, text } = line;
    this.#segments.push({ id, start, end, text });
    this.#coming.textContent = "";
    const last = this.#lines.lastElementChild;
    if (line.utterance === this.#utterance && last) last.append(` ${text}`);
    else this.#lines.append(h("p", { dir: "auto" }, h("span", { class: "hint" }, clock(start)), " ", text));
    this.#utterance = line.utterance;
  }

  /** Stays at the end, unless somebody reads further up. */
  #keepUp() {
    const page = document.documentElement;
    if (page.scrollHeight - innerHeight - scrollY < 160) scrollTo(0, page.scrollHeight);
  }

  #show() {
    const state = this.#session?.state;
    const isOver = state === "ended";
    if (isOver) this.#release();
    this.#bar.hidden = isOver;
    this.#settings.hidden = !isOver;
    this.#start.hidden = !isOver;
    this.#start.disabled = false;
    this.#stop.disabled = false;
    this.#tools.hidden = !isOver || this.#segments.length === 0;
    if (state === "open") announce("Listening");
    if (!isOver) return;
    this.#coming.textContent = "";
    if (this.#segments.length === 0 && !this.#hasFailed) this.#trouble.replaceChildren(h("p", { class: "empty" }, "Nothing was said."));
    this.#start.focus();
    announce("Stopped");
  }

  #clear() {
    this.#segments = [];
    this.#lines.replaceChildren();
    this.#lag = 0;
    this.#utterance = -1;
    this.#hasFailed = false;
  }

  /** @param {string} text */
  #fail(text) {
    this.#hasFailed = true;
    this.#trouble.replaceChildren(h("div", { class: "problem", role: "alert" }, h("p", {}, text)));
  }

  #text() {
    return [...this.#lines.children].map((line) => line.textContent?.replace(/^[\d:]+ /, "")).join("\n");
  }

  /** @returns {Result} */
  #result() {
    const language = this.#settings.settings.language || undefined;
    return { language, duration: this.#segments.at(-1)?.end ?? 0, text: this.#segments.map(({ text }) => text).join(" "), segments: this.#segments };
  }

  #release() {
    clearInterval(this.#timer);
    for (const track of this.#stream?.getTracks() ?? []) track.stop();
    this.#stream = null;
    void this.#context?.close().catch(() => {});
    this.#context = null;
  }
}

customElements.define("live-captions", LiveCaptions);
