// How loud a recording is over its time, for drawing it.

import { recall, remember } from "./storage.js";

const COUNT = 1200;

/** Longer or larger ones would need too much memory: decoded, an hour of stereo is more than a gigabyte while it is resampled. */
export const LIMIT = { seconds: 3600, bytes: 200_000_000 };

/** @param {string} id @returns {Uint8Array | null} */
export function keptPeaks(id) {
  const text = recall(`peaks.${id}`);
  if (typeof text !== "string") return null;
  return Uint8Array.from(text, (letter) => letter.charCodeAt(0) - 32);
}

/**
 * @param {string} id
 * @param {ArrayBuffer} sound
 * @returns {Promise<{peaks: Uint8Array, duration: number}>} peaks from 0 to 94, so that each is kept as one letter
 */
export async function findPeaks(id, sound) {
  const buffer = await new OfflineAudioContext(1, 1, 8000).decodeAudioData(sound);
  const samples = buffer.getChannelData(0);
  const other = buffer.numberOfChannels > 1 ? buffer.getChannelData(1) : null;
  const loudest = new Float32Array(COUNT);
  let rest = performance.now();
  for (let at = 0; at < COUNT; at += 1) {
    const end = Math.floor(((at + 1) * samples.length) / COUNT);
    let peak = 0;
    for (let place = Math.floor((at * samples.length) / COUNT); place < end; place += 1) {
      peak = Math.max(peak, Math.abs(samples[place]), other ? Math.abs(other[place]) : 0);
    }
    loudest[at] = peak;
    if (performance.now() - rest > 12) {
      await new Promise((resolve) => setTimeout(resolve));
      rest = performance.now();
    }
  }
  const highest = Math.max(0.02, ...loudest);
  const peaks = Uint8Array.from(loudest, (peak) => Math.round((peak / highest) * 94));
  remember(`peaks.${id}`, String.fromCharCode(...Array.from(peaks, (peak) => peak + 32)));
  return { peaks, duration: buffer.duration };
}
