// Recording from the microphone: how long, how loud, and a way to stop.

import { announce, h, icon, iconButton } from "./element.js";
import { clock } from "./format.js";
import { LevelMeter } from "./level-meter.js";

const KINDS = ["audio/webm;codecs=opus", "audio/ogg;codecs=opus", "audio/mp4", "audio/webm"];
/** Seconds without a sound after which it is said. */
const SILENT = 4;

/** Why nothing can be recorded here, empty if it can. */
export function whyNoMicrophone() {
  if (!isSecureContext) return "To record from the microphone, open this page over https or from this machine itself: browsers ask for that.";
  if (!navigator.mediaDevices || typeof MediaRecorder !== "function") return "This browser cannot record.";
  return "";
}

/** Why the microphone was not given, in words. @param {unknown} error */
export function whyRefused(error) {
  const isDenied = error instanceof DOMException && error.name === "NotAllowedError";
  return isDenied ? "The browser does not let this page use the microphone; its settings for the page can change that." : "No microphone was found.";
}

/** Tells with `done` (a CustomEvent with the file, or null if there is none) that it is over. */
export class SoundRecorder extends HTMLElement {
  #time = h("span", { class: "recorder-time", role: "timer" }, "0:00");
  #note = h("p", { class: "hint", role: "status" }, "The browser asks whether the microphone may be used.");
  #meter = new LevelMeter();
  #pause = iconButton("pause", "Pause", () => this.#togglePause());
  #finish = iconButton("stop", "Stop", () => this.#recorder?.stop(), { class: "primary" });
  /** @type {MediaRecorder | null} */
  #recorder = null;
  /** @type {MediaStream | null} */
  #stream = null;
  /** @type {AudioContext | null} */
  #context = null;
  /** @type {Blob[]} */
  #parts = [];
  #wanted = true;
  #seconds = 0;
  #last = 0;
  #timer = 0;

  connectedCallback() {
    this.className = "recorder";
    this.setAttribute("role", "group");
    this.setAttribute("aria-label", "Recording");
    this.append(
      h("div", { class: "recorder-row" }, this.#time, this.#meter),
      this.#note,
      h("div", { class: "recorder-row" }, this.#finish, this.#pause, iconButton("delete", "Discard", () => this.#discard(), { class: "quiet" })),
    );
    this.#finish.disabled = this.#pause.disabled = true;
    addEventListener("beforeunload", this.#warn);
    void this.#begin();
  }

  disconnectedCallback() {
    removeEventListener("beforeunload", this.#warn);
    // Going elsewhere does not lose it: what was recorded lies among the chosen files.
    if (this.#recorder && this.#recorder.state !== "inactive") this.#recorder.stop();
    else this.#release();
  }

  /** @param {Event} event */
  #warn = (event) => event.preventDefault();

  async #begin() {
    try {
      this.#stream = await navigator.mediaDevices.getUserMedia({ audio: { channelCount: 1 } });
    } catch (error) {
      this.#note.textContent = whyRefused(error);
      return;
    }
    if (!this.isConnected) return this.#release();
    const mimeType = KINDS.find((kind) => MediaRecorder.isTypeSupported(kind));
    const recorder = new MediaRecorder(this.#stream, { mimeType, audioBitsPerSecond: 64_000 });
    this.#recorder = recorder;
    recorder.addEventListener("dataavailable", (event) => event.data.size > 0 && this.#parts.push(event.data));
    recorder.addEventListener("stop", () => this.#stopped());
    this.#stream.getAudioTracks()[0].addEventListener("ended", () => recorder.state !== "inactive" && recorder.stop());
    recorder.start(1000);
    this.#finish.disabled = this.#pause.disabled = false;
    this.#note.textContent = "";
    this.#finish.focus();
    announce("Recording");
    this.#listen(this.#stream);
  }

  /** @param {MediaStream} stream */
  #listen(stream) {
    this.#context = new AudioContext();
    this.#meter.watch(this.#context.createMediaStreamSource(stream));
    this.#last = performance.now();
    this.#timer = window.setInterval(() => {
      const now = performance.now();
      const passed = (now - this.#last) / 1000;
      this.#last = now;
      if (this.#recorder?.state !== "recording") return;
      this.#seconds += passed;
      this.#time.textContent = clock(this.#seconds);
      this.#note.textContent = this.#meter.look(passed) > SILENT ? "Nothing is heard. Is the microphone muted?" : "";
    }, 60);
  }

  #togglePause() {
    const recorder = this.#recorder;
    if (!recorder) return;
    const isPaused = recorder.state === "recording";
    if (isPaused) recorder.pause();
    else recorder.resume();
    this.#pause.replaceChildren(icon(isPaused ? "microphone" : "pause"), h("span", {}, isPaused ? "Go on" : "Pause"));
    this.classList.toggle("paused", isPaused);
    announce(isPaused ? "Paused" : "Recording");
  }

  #discard() {
    this.#wanted = false;
    if (this.#recorder && this.#recorder.state !== "inactive") this.#recorder.stop();
    else this.#stopped();
  }

  #stopped() {
    this.#release();
    const type = this.#recorder?.mimeType ?? "";
    const ending = type.includes("mp4") ? "m4a" : type.includes("ogg") ? "ogg" : "webm";
    const now = new Date();
    const two = (/** @type {number} */ number) => String(number).padStart(2, "0");
    const name = `Recording ${now.getFullYear()}-${two(now.getMonth() + 1)}-${two(now.getDate())} ${two(now.getHours())}.${two(now.getMinutes())}.${two(now.getSeconds())}.${ending}`;
    const file = this.#wanted && this.#parts.length > 0 ? new File(this.#parts, name, { type: type.split(";")[0] }) : null;
    this.dispatchEvent(new CustomEvent("done", { detail: file }));
  }

  #release() {
    clearInterval(this.#timer);
    for (const track of this.#stream?.getTracks() ?? []) track.stop();
    void this.#context?.close().catch(() => {});
    this.#context = null;
  }
}

customElements.define("sound-recorder", SoundRecorder);
