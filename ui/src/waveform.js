// The picture of a recording's loudness. It is only looked at: the range input above it is what is used.

const BAR = 2;
const STEP = 3;

export class Waveform extends HTMLElement {
  #canvas = document.createElement("canvas");
  /** @type {Uint8Array | null} */
  #peaks = null;
  #played = 0;
  #drawn = -1;
  #resizes = new ResizeObserver(() => this.#draw());
  #themes = new MutationObserver(() => this.#draw());
  #system = matchMedia("(prefers-color-scheme: dark)");
  #onSystem = () => this.#draw();

  connectedCallback() {
    this.setAttribute("aria-hidden", "true");
    this.append(this.#canvas);
    this.#resizes.observe(this);
    this.#themes.observe(document.documentElement, { attributeFilter: ["data-theme"] });
    this.#system.addEventListener("change", this.#onSystem);
  }

  disconnectedCallback() {
    this.#resizes.disconnect();
    this.#themes.disconnect();
    this.#system.removeEventListener("change", this.#onSystem);
  }

  get peaks() {
    return this.#peaks;
  }

  set peaks(peaks) {
    this.#peaks = peaks;
    this.toggleAttribute("data-drawn", peaks !== null);
    this.#draw();
  }

  /** How much of it has been played, from 0 to 1. */
  set played(/** @type {number} */ part) {
    this.#played = part;
    if (Math.round(part * this.clientWidth) !== this.#drawn) this.#draw();
  }

  #draw() {
    const [width, height] = [this.clientWidth, this.clientHeight];
    const pen = this.#canvas.getContext("2d");
    if (!pen || width === 0) return;
    const scale = devicePixelRatio || 1;
    if (this.#canvas.width !== Math.round(width * scale) || this.#canvas.height !== Math.round(height * scale)) {
      this.#canvas.width = Math.round(width * scale);
      this.#canvas.height = Math.round(height * scale);
    }
    this.#drawn = Math.round(this.#played * width);
    const style = getComputedStyle(this);
    const [before, behind] = [style.getPropertyValue("color"), style.getPropertyValue("outline-color")];
    pen.setTransform(scale, 0, 0, scale, 0, 0);
    pen.clearRect(0, 0, width, height);
    if (!this.#peaks) {
      pen.fillStyle = behind;
      pen.fillRect(0, height / 2 - 1, width, 2);
      pen.fillStyle = before;
      pen.fillRect(0, height / 2 - 1, this.#drawn, 2);
    } else {
      this.#bars(pen, this.#peaks, width, height, before, behind);
    }
    pen.fillStyle = before;
    pen.fillRect(Math.min(this.#drawn, width - 1.5), 0, 1.5, height);
  }

  /**
   * @param {CanvasRenderingContext2D} pen
   * @param {Uint8Array} peaks
   * @param {number} width
   * @param {number} height
   * @param {string} before
   * @param {string} behind
   */
  #bars(pen, peaks, width, height, before, behind) {
    for (let x = 0; x < width; x += STEP) {
      const first = Math.floor((x / width) * peaks.length);
      const last = Math.max(first + 1, Math.floor(((x + STEP) / width) * peaks.length));
      let peak = 0;
      for (let at = first; at < Math.min(last, peaks.length); at += 1) peak = Math.max(peak, peaks[at]);
      const tall = Math.max(1.5, (peak / 94) * (height - 4));
      pen.fillStyle = x + BAR <= this.#drawn ? before : behind;
      pen.fillRect(x, (height - tall) / 2, BAR, tall);
    }
  }
}

customElements.define("sound-waveform", Waveform);
