// Playing a recording: buttons, speed, and a timeline over its waveform where one can be drawn.

import { ApiError, call, hasKey, jobPath } from "./api.js";
import { h, icon, iconButton } from "./element.js";
import { clock, spoken } from "./format.js";
import { LIMIT, findPeaks, keptPeaks } from "./peaks.js";
import { recall, remember } from "./storage.js";
import { localFiles } from "./uploads.js";
import { Waveform } from "./waveform.js";

const SPEEDS = [0.5, 0.75, 0.9, 1, 1.1, 1.25, 1.5, 1.75, 2, 2.5, 3];

/** Tells with `time` where it is, at every frame while it plays, and with `state` when it begins or stops. */
export class SoundPlayer extends HTMLElement {
  #media = h("video", { playsinline: true, preload: "metadata", class: "film", hidden: true });
  #toggle = iconButton("play", "Play", () => this.toggle(), { bare: true, class: "play" });
  #time = h("span", { class: "player-time" }, "0:00");
  #line = h("input", { type: "range", class: "timeline", min: 0, max: 1, step: 0.01, value: 0, "aria-label": "Place in the recording" });
  #speed = h("select", { class: "speed", "aria-label": "Speed" }, ...SPEEDS.map((speed) => h("option", { value: speed }, `${speed}×`)));
  #wave = new Waveform();
  #note = h("p", { class: "player-note", hidden: true });
  #duration = 0;
  #id = "";
  #frame = 0;
  #stop = new AbortController();
  /** @type {string | null} */
  #url = null;

  constructor() {
    super();
    this.#listen();
  }

  connectedCallback() {
    this.className = "player";
    this.setAttribute("role", "region");
    this.setAttribute("aria-label", "Player");
    this.replaceChildren(
      this.#media,
      h("div", { class: "track" }, this.#wave, this.#line),
      h(
        "div",
        { class: "transport" },
        iconButton("back", "Back 5 seconds", () => this.move(-5), { bare: true }),
        this.#toggle,
        iconButton("forward", "Forward 5 seconds", () => this.move(5), { bare: true }),
        this.#time,
        h("label", { class: "speed-label" }, this.#speed),
      ),
      this.#note,
    );
  }

  disconnectedCallback() {
    this.#stop.abort();
    cancelAnimationFrame(this.#frame);
    this.#media.pause();
    this.#media.removeAttribute("src");
    this.#media.load();
    if (this.#url) URL.revokeObjectURL(this.#url);
  }

  /** @param {string} id of the job @param {number} duration as the server knows it */
  async open(id, duration) {
    this.#id = id;
    this.#duration = duration;
    this.#show();
    const speed = Number(recall("speed") ?? 1);
    this.setSpeed(SPEEDS.includes(speed) ? speed : 1);
    this.#wave.peaks = keptPeaks(id);
    const file = localFiles.get(id);
    try {
      if (file) this.#play((this.#url = URL.createObjectURL(file)));
      // A media element sends no key, so then the sound is fetched whole.
      else if (hasKey()) this.#play((this.#url = URL.createObjectURL(await this.#fetch())));
      else this.#play(jobPath(id, "/audio"));
      await this.#draw(file);
    } catch (error) {
      if (!this.#stop.signal.aborted) this.#complain(error instanceof ApiError && error.status === 404 ? "The sound is no longer kept." : `There is no sound: ${error instanceof Error ? error.message : error}`);
    }
  }

  get time() {
    return this.#media.currentTime;
  }

  get isPlaying() {
    return !this.#media.paused && !this.#media.ended;
  }

  toggle() {
    if (this.isPlaying) this.#media.pause();
    else this.#media.play().catch(() => {});
  }

  /** @param {number} seconds */
  seek(seconds) {
    this.#media.currentTime = Math.min(Math.max(0, seconds), this.#duration || Number.MAX_SAFE_INTEGER);
    this.#show();
    this.dispatchEvent(new Event("time"));
  }

  /** @param {number} seconds */
  move(seconds) {
    this.seek(this.time + seconds);
  }

  /** @param {number} seconds */
  playFrom(seconds) {
    this.seek(seconds);
    if (!this.isPlaying) this.toggle();
  }

  /** @param {number} steps */
  changeSpeed(steps) {
    const at = SPEEDS.indexOf(this.#media.playbackRate) + steps;
    this.setSpeed(SPEEDS[Math.min(Math.max(0, at), SPEEDS.length - 1)]);
  }

  /** @param {number} speed */
  setSpeed(speed) {
    this.#media.defaultPlaybackRate = speed;
    this.#media.playbackRate = speed;
    this.#speed.value = String(speed);
    remember("speed", speed);
  }

  #listen() {
    const media = this.#media;
    const state = () => {
      const name = this.isPlaying ? "Pause" : "Play";
      this.#toggle.replaceChildren(icon(this.isPlaying ? "pause" : "play"));
      this.#toggle.setAttribute("aria-label", name);
      this.#toggle.title = name;
      this.dispatchEvent(new Event("state"));
      cancelAnimationFrame(this.#frame);
      if (this.isPlaying) this.#frame = requestAnimationFrame(() => this.#tick());
    };
    for (const name of ["play", "pause", "ended"]) media.addEventListener(name, state);
    for (const name of ["seeked", "timeupdate"]) media.addEventListener(name, () => !this.isPlaying && this.#tick());
    media.addEventListener("loadedmetadata", () => {
      media.hidden = media.videoWidth === 0;
      if (Number.isFinite(media.duration)) this.#learn(media.duration);
      else this.#measure();
    });
    media.addEventListener("error", () => void this.#failed());
    this.#line.addEventListener("input", () => this.seek(Number(this.#line.value)));
    this.#speed.addEventListener("change", () => this.setSpeed(Number(this.#speed.value)));
  }

  /** What a browser recorded has no length in its head: going far behind its end finds it. */
  #measure() {
    const media = this.#media;
    const back = () => {
      if (!Number.isFinite(media.duration)) return;
      media.removeEventListener("durationchange", back);
      media.currentTime = 0;
      this.#learn(media.duration);
    };
    media.addEventListener("durationchange", back);
    media.currentTime = 1e7;
  }

  /** @param {number} duration */
  #learn(duration) {
    this.#duration = duration;
    this.#show();
  }

  /** @param {string} url */
  #play(url) {
    this.#media.src = url;
  }

  /** @returns {Promise<Blob>} */
  async #fetch() {
    return (await call(jobPath(this.#id, "/audio"), { signal: this.#stop.signal })).blob();
  }

  /** @param {File | undefined} file */
  async #draw(file) {
    if (this.#wave.peaks || this.#duration > LIMIT.seconds) return;
    const blob = file ?? (this.#url ? await (await fetch(this.#url)).blob() : await this.#fetch());
    if (blob.size > LIMIT.bytes) return;
    try {
      const { peaks, duration } = await findPeaks(this.#id, await blob.arrayBuffer());
      this.#wave.peaks = peaks;
      if (!this.#duration) this.#learn(duration);
    } catch {
      // What the browser cannot decode has a plain line; whether it can be played is another question.
    }
  }

  async #failed() {
    if (!this.#media.getAttribute("src")) return;
    try {
      // The element does not say why; the server does.
      const answer = await call(jobPath(this.#id, "/audio"), { headers: { Range: "bytes=0-0" }, signal: this.#stop.signal });
      await answer.body?.cancel();
      this.#complain("This browser cannot play this kind of sound; the text is not affected.");
    } catch (error) {
      if (!this.#stop.signal.aborted) this.#complain(error instanceof ApiError && error.status === 404 ? "The sound is no longer kept; the text is." : "The sound cannot be fetched.");
    }
  }

  /** @param {string} reason */
  #complain(reason) {
    this.classList.add("mute");
    this.#note.textContent = reason;
    this.#note.hidden = false;
    this.dispatchEvent(new Event("state"));
  }

  get isMute() {
    return this.classList.contains("mute");
  }

  #tick() {
    this.#show();
    this.dispatchEvent(new Event("time"));
    if (this.isPlaying) this.#frame = requestAnimationFrame(() => this.#tick());
  }

  #show() {
    const time = this.time;
    const text = `${clock(time)} / ${clock(this.#duration)}`;
    if (this.#time.textContent !== text) {
      this.#time.textContent = text;
      this.#line.setAttribute("aria-valuetext", `${spoken(time)} of ${spoken(this.#duration)}`);
    }
    if (this.#line.max !== String(this.#duration || 1)) this.#line.max = String(this.#duration || 1);
    this.#line.value = String(time);
    this.#wave.played = this.#duration > 0 ? time / this.#duration : 0;
  }
}

customElements.define("sound-player", SoundPlayer);
