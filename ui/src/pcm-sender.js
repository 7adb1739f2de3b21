// Runs beside the sound: gathers what the microphone gives, and hands on a tenth of a second at a time as 16-bit numbers.

/* global AudioWorkletProcessor, registerProcessor, sampleRate */

class PcmSender extends AudioWorkletProcessor {
  constructor() {
    super();
    this.frame = new Int16Array(0);
    this.filled = 0;
    this.begin();
  }

  /** A frame that is handed on is gone, its length too. */
  begin() {
    this.frame = new Int16Array(Math.round(sampleRate / 10));
    this.filled = 0;
  }

  /** @param {Float32Array[][]} inputs */
  process([channels]) {
    for (const sample of channels?.[0] ?? []) {
      this.frame[this.filled++] = Math.max(-1, Math.min(1, sample)) * 0x7fff;
      if (this.filled < this.frame.length) continue;
      this.port.postMessage(this.frame, [this.frame.buffer]);
      this.begin();
    }
    return true;
  }
}

registerProcessor("pcm-sender", PcmSender);
