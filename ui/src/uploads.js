// Sending files to the server, one after the other. It goes on while the page shows something else.

import { ApiError, Unreachable, authorization, connection, errorOf, renewKey } from "./api.js";

/** @import { Job, Settings } from "../types.js" */

/** The files of this visit by the job that was made of them: they can be played without asking the server. @type {Map<string, File>} */
export const localFiles = new Map();

let next = 0;

/** A file on its way. */
export class Upload {
  /** @param {File} file @param {Settings} settings */
  constructor(file, settings) {
    this.number = next++;
    this.file = file;
    this.settings = settings;
    /** @type {"waiting" | "sending" | "held" | "failed"} */
    this.state = "waiting";
    this.sent = 0;
    this.error = "";
    /** When it is tried again, if it is held; in milliseconds. */
    this.again = 0;
    // One for all tries, so that a file that arrived although the answer was lost is not heard twice.
    this.key = randomKey();
    this.tries = 0;
    /** @type {XMLHttpRequest | null} */
    this.request = null;
  }
}

/** crypto.randomUUID is only there on secure pages, and this one may be served in a local network. */
function randomKey() {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** @param {Upload} upload */
function form({ file, settings }) {
  const data = new FormData();
  data.append("model", settings.model);
  if (settings.language) data.append("language", settings.language);
  if (settings.task === "translate") data.append("task", "translate");
  data.append("timestamp_granularities[]", "segment");
  if (settings.words) data.append("timestamp_granularities[]", "word");
  if (settings.silences) data.append("vad_filter", "true");
  if (settings.care) data.append("beam_size", "5");
  if (settings.prompt.trim()) data.append("prompt", settings.prompt.trim());
  if (settings.hotwords.trim()) data.append("hotwords", settings.hotwords.trim());
  // Last, so that a server that reads in order knows what to do with the sound.
  data.append("file", file, file.name);
  return data;
}

/** Tells with `change` that something moved, and with `job` (a CustomEvent) that a file has become one. */
class Uploads extends EventTarget {
  /** @type {Upload[]} */
  list = [];
  #busy = false;

  /** @param {File[]} files @param {Settings} settings */
  add(files, settings) {
    this.list.push(...files.map((file) => new Upload(file, settings)));
    this.#changed();
    void this.#work();
  }

  /** @param {Upload} upload */
  remove(upload) {
    this.list = this.list.filter((other) => other !== upload);
    upload.request?.abort();
    this.#changed();
  }

  /** @param {Upload} upload */
  retry(upload) {
    upload.state = "waiting";
    upload.tries = 0;
    this.#changed();
    void this.#work();
  }

  /** Whether something would be lost if the page were closed. */
  get active() {
    return this.list.some((upload) => upload.state !== "failed");
  }

  #changed() {
    this.dispatchEvent(new Event("change"));
  }

  async #work() {
    if (this.#busy) return;
    this.#busy = true;
    for (;;) {
      const upload = this.list.find((other) => other.state === "waiting");
      if (!upload) break;
      try {
        const job = await this.#send(upload);
        localFiles.set(job.id, upload.file);
        this.list = this.list.filter((other) => other !== upload);
        this.dispatchEvent(new CustomEvent("job", { detail: job }));
      } catch (error) {
        if (this.list.includes(upload)) this.#failed(upload, error);
      }
      this.#changed();
    }
    this.#busy = false;
  }

  /** @param {Upload} upload @param {unknown} error */
  #failed(upload, error) {
    upload.error = error instanceof Error ? error.message : String(error);
    upload.tries += 1;
    const later = error instanceof ApiError && (error.status === 429 || error.status === 503);
    const lost = error instanceof Unreachable && upload.tries < 4;
    if (!later && !lost) {
      upload.state = "failed";
      return;
    }
    const seconds = error instanceof ApiError && error.retryAfter ? error.retryAfter : 2 ** upload.tries;
    upload.state = "held";
    upload.again = Date.now() + seconds * 1000;
    setTimeout(() => {
      if (upload.state !== "held") return;
      upload.state = "waiting";
      void this.#work();
    }, seconds * 1000);
  }

  /** @param {Upload} upload @returns {Promise<Job>} */
  async #send(upload) {
    for (;;) {
      const headers = authorization();
      const request = await this.#request(upload, headers);
      if (request.status === 401 && (await renewKey(headers.Authorization))) continue;
      if (request.status >= 200 && request.status < 300) return JSON.parse(request.responseText);
      throw errorOf(request.status, request.responseText, (name) => request.getResponseHeader(name));
    }
  }

  /** @param {Upload} upload @param {Record<string, string>} headers @returns {Promise<XMLHttpRequest>} */
  #request(upload, headers) {
    return new Promise((resolve, reject) => {
      const request = new XMLHttpRequest();
      request.open("POST", "v1/jobs");
      for (const [name, value] of Object.entries(headers)) request.setRequestHeader(name, value);
      request.setRequestHeader("Idempotency-Key", upload.key);
      request.upload.onprogress = (event) => {
        upload.sent = event.total > 0 ? event.loaded / event.total : 0;
        this.#changed();
      };
      request.onload = () => {
        connection.set(true);
        resolve(request);
      };
      request.onerror = () => reject(new Unreachable());
      request.onabort = () => reject(new Error("It was stopped."));
      upload.request = request;
      upload.state = "sending";
      upload.sent = 0;
      this.#changed();
      request.send(form(upload));
    });
  }
}

export const uploads = new Uploads();

addEventListener("beforeunload", (event) => {
  if (uploads.active) event.preventDefault();
});
