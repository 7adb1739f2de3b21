// What the checks in Node share. The environment is that of the checks in Python, which `target.py` explains.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import OpenAI, { toFile } from 'openai';

const root = (process.env.BASE_URL || 'http://127.0.0.1:8000').replace(/\/+$/, '').replace(/\/v1$/, '');

export const baseURL = `${root}/v1`;
export const model = process.env.MODEL || 'whisper-1';
export const streamModel = process.env.STREAM_MODEL || model;
export const onlyAmanuensis = (await isAmanuensis()) ? {} : { skip: 'only Amanuensis promises this' };

// The client does not try again, so that a check sees what the server answered first.
export const client = new OpenAI({ baseURL, apiKey: process.env.API_KEY || 'none', maxRetries: 0, timeout: 120_000 });

export function otherClient(url, apiKey) {
  return new OpenAI({ baseURL: `${url.replace(/\/v1$/, '')}/v1`, apiKey, maxRetries: 0, timeout: 120_000 });
}

export function bytes(name) {
  return readFileSync(join(process.env.CONFORMANCE_REPOSITORY, 'samples', name));
}

export async function sound(name) {
  return toFile(bytes(name), name);
}

// A sample said again and again until it lasts so many seconds: the samples of a WAV file with a header of 44 bytes.
export async function longSound(seconds) {
  const once = Buffer.concat([bytes('two-voices.wav').subarray(44), Buffer.alloc(16_000)]);
  const times = Math.ceil((seconds * 32_000) / once.length);
  const header = Buffer.from(bytes('two-voices.wav').subarray(0, 44));
  header.writeUInt32LE(36 + times * once.length, 4);
  header.writeUInt32LE(times * once.length, 40);
  return toFile(Buffer.concat([header, ...Array(times).fill(once)]), 'long.wav');
}

// Wrong keys and unknown models are expected to be refused: gives back how.
export async function refused(promise) {
  try {
    await promise;
  } catch (error) {
    return error;
  }
  throw new Error('the request was not refused');
}

async function isAmanuensis() {
  if (process.env.CONFORMANCE_AMANUENSIS) {
    return process.env.CONFORMANCE_AMANUENSIS === 'yes';
  }
  try {
    const document = await (await fetch(`${root}/openapi.json`)).json();
    return document.info.title.toLowerCase().includes('amanuensis');
  } catch {
    return false;
  }
}
