// A live session with the server: sound goes out as it comes, text comes back. A connection that breaks is taken up again
// where it was, and the sound of the meantime follows.

import { call, keyFor } from "./api.js";

/** @import { LiveMessage, Settings } from "../types.js" */

/** Tries to come back, and the seconds between them. */
const WAITS = [0.5, 1, 2, 4, 8, 8, 8, 8];
/** How a connection closes that broke, or whose server or proxy begins anew: without a word, for one reason or another. */
const BROKEN = [1005, 1006, 1012, 1014];

/**
 * Tells with `message` (a CustomEvent with a LiveMessage), with `state` whether it is `connecting`, `open`, `lost` or `ended`.
 */
export class LiveSession extends EventTarget {
  /** @type {WebSocket | null} */
  #socket = null;
  #settings;
  #rate;
  #session = "";
  /** The last line that came. @type {number | null} */
  #last = null;
  /** What may have to be sent again, and how many samples went before it. @type {{at: number, frame: Int16Array}[]} */
  #frames = [];
  #samples = 0;
  #keep = 60;
  #tries = 0;
  #isFinished = false;
  /** @type {"connecting" | "open" | "lost" | "ended"} */
  state = "connecting";

  /** @param {Settings} settings @param {number} rate samples per second */
  constructor(settings, rate) {
    super();
    this.#settings = settings;
    this.#rate = rate;
    this.#connect();
  }

  /** @param {Int16Array} frame */
  send(frame) {
    this.#frames.push({ at: this.#samples, frame });
    this.#samples += frame.length;
    const oldest = this.#samples - this.#keep * this.#rate;
    while (this.#frames.length > 0 && this.#frames[0].at < oldest) this.#frames.shift();
    if (this.state === "open") this.#socket?.send(frame);
  }

  /** No more sound comes; the rest of the text still does. */
  finish() {
    this.#isFinished = true;
    if (this.state === "open") this.#socket?.send('{"type":"finish"}');
  }

  /** Ends it at once. */
  close() {
    this.#become("ended");
    this.#socket?.close(1000);
  }

  #connect() {
    const url = new URL("v1/live", location.href);
    url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
    url.hash = "";
    const { protocols, token } = keyFor();
    if (token) url.searchParams.set("token", token);
    const socket = new WebSocket(url, protocols);
    this.#socket = socket;
    socket.addEventListener("open", () => socket.send(JSON.stringify(this.#wishes())));
    socket.addEventListener("message", (event) => this.#received(JSON.parse(event.data)));
    socket.addEventListener("close", (event) => void this.#closed(event));
  }

  #wishes() {
    const { model, language, task, prompt } = this.#settings;
    const sound = { encoding: "pcm16", sample_rate: this.#rate };
    const resume = this.#session ? { resume: this.#session, after: this.#last } : {};
    return { type: "start", model, language: language || null, task, prompt: prompt || null, ...sound, ...resume };
  }

  /** @param {LiveMessage} message */
  #received(message) {
    if (message.type === "ready") {
      this.#session = message.session;
      this.#keep = Math.max(message.resume_seconds, 5);
      this.#tries = 0;
      // What was heard and what was sent differ by what a resampler holds back, which is less than half of a frame.
      const heard = message.received * this.#rate - this.#rate / 20;
      for (const { at, frame } of this.#frames) if (at >= heard) this.#socket?.send(frame);
      this.#become("open");
      if (this.#isFinished) this.finish();
    }
    if (message.type === "final") this.#last = message.id;
    this.dispatchEvent(new CustomEvent("message", { detail: message }));
    if (message.type === "done") this.close();
  }

  /** @param {CloseEvent} event */
  async #closed(event) {
    if (this.state === "ended") return;
    const wait = WAITS[this.#tries];
    // A server that says why it closes means it; where nothing was ever open, there is nothing to come back to.
    const isBroken = BROKEN.includes(event.code);
    if (!isBroken || wait === undefined || this.#session === "") {
      if (isBroken) await this.#explain();
      return this.#become("ended");
    }
    this.#tries += 1;
    this.#become("lost");
    setTimeout(() => this.state === "lost" && this.#connect(), wait * 1000);
  }

  /** A browser does not tell why a WebSocket was refused; asked for otherwise, the server may. */
  async #explain() {
    try {
      await call("v1/status");
      this.#fail("The server did not begin a live session, or broke it off.");
    } catch (error) {
      this.#fail(error instanceof Error ? error.message : String(error));
    }
  }

  /** @param {string} message */
  #fail(message) {
    const error = { message, type: "", param: null, code: null };
    this.dispatchEvent(new CustomEvent("message", { detail: { type: "error", error } }));
  }

  /** @param {"connecting" | "open" | "lost" | "ended"} state */
  #become(state) {
    if (this.state === state || this.state === "ended") return;
    this.state = state;
    this.dispatchEvent(new Event("state"));
  }
}
