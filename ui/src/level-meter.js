// How loud the last seconds were, drawn, and how long nothing was heard.

import { h } from "./element.js";

/** Below this a microphone is muted; the quietest room is louder. */
const MUTED = 0.0005;

export class LevelMeter extends HTMLElement {
  #canvas = h("canvas", { class: "levels", "aria-hidden": "true" });
  /** Loudness, the newest last. @type {number[]} */
  #levels = [];
  /** @type {AnalyserNode | null} */
  #analyser = null;
  #samples = new Float32Array(2048);
  #quiet = 0;

  connectedCallback() {
    this.append(this.#canvas);
  }

  /** @param {AudioNode} source */
  watch(source) {
    this.#analyser = source.context.createAnalyser();
    this.#analyser.fftSize = this.#samples.length;
    source.connect(this.#analyser);
  }

  /**
   * Looks at what is heard just now.
   * @param {number} passed seconds since the last time
   * @returns {number} seconds for which nothing was heard
   */
  look(passed) {
    if (!this.#analyser) return 0;
    this.#analyser.getFloatTimeDomainData(this.#samples);
    const level = Math.sqrt(this.#samples.reduce((sum, sample) => sum + sample * sample, 0) / this.#samples.length);
    this.#quiet = level < MUTED ? this.#quiet + passed : 0;
    this.#levels.push(level);
    this.#draw();
    return this.#quiet;
  }

  #draw() {
    const pen = this.#canvas.getContext("2d");
    const [width, height, scale] = [this.#canvas.clientWidth, this.#canvas.clientHeight, devicePixelRatio || 1];
    if (!pen || width === 0) return;
    this.#canvas.width = width * scale;
    this.#canvas.height = height * scale;
    pen.scale(scale, scale);
    pen.fillStyle = getComputedStyle(this.#canvas).color;
    const shown = Math.floor(width / 3);
    this.#levels = this.#levels.slice(-shown);
    this.#levels.forEach((level, at) => {
      // In decibels, from -60 to 0, as ears hear.
      const part = Math.max(0, Math.min(1, 1 + Math.log10(level + 1e-6) / 3));
      const tall = Math.max(2, part * height);
      pen.fillRect(width - (this.#levels.length - at) * 3, (height - tall) / 2, 2, tall);
    });
  }
}

customElements.define("level-meter", LevelMeter);
