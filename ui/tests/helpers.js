// What every journey needs: a page whose console is watched, recordings, and axe.

import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { AxeBuilder } from "@axe-core/playwright";
import { expect, test as base } from "@playwright/test";

export { expect };

/** @param {string} name */
export const sample = (name) => fileURLToPath(new URL(`../../samples/${name}`, import.meta.url));

export const test = base.extend({
  /** What the console may say: the browser itself writes there of every answer that is an error. */
  allowed: [/** @type {RegExp[]} */ ([]), { option: true }],
  watched: [
    async ({ page, allowed }, use) => {
      const troubles = [];
      page.on("console", (message) => {
        if (message.type() === "error" && !allowed.some((pattern) => pattern.test(message.text()))) troubles.push(message.text());
      });
      page.on("pageerror", (error) => troubles.push(String(error)));
      await use(troubles);
      expect(troubles, "errors in the console").toEqual([]);
    },
    { auto: true },
  ],
});

/** Nothing serious or critical, whatever the view. */
export async function expectAccessible(page, name) {
  const { violations } = await new AxeBuilder({ page }).analyze();
  const grave = violations.filter(({ impact }) => impact === "serious" || impact === "critical");
  expect(grave.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(" ")}`), name).toEqual([]);
}

/** Sends files from the first view. */
export async function send(page, ...names) {
  await page.goto("/#/");
  await expect(page.getByLabel("Model")).toBeEnabled();
  await page.locator("input[type=file]").setInputFiles(names.map(sample));
  await page.getByRole("button", { name: /^Transcribe/ }).click();
}

/** Sends a recording and waits for its transcript. */
export async function transcribed(page, name) {
  await send(page, name);
  await page.waitForURL(/#\/jobs\//);
  await expect(page.getByRole("toolbar", { name: "Transcript" })).toBeVisible({ timeout: 45_000 });
  return decodeURIComponent(page.url().split("#/jobs/")[1]);
}

export const text = (page) => page.locator("transcript-text");

/** A job as the server would tell of it. */
export const job = (more = {}) => ({
  id: "job_played",
  object: "transcription.job",
  status: "succeeded",
  created_at: Math.floor(Date.now() / 1000) - 90,
  started_at: Math.floor(Date.now() / 1000) - 80,
  finished_at: Math.floor(Date.now() / 1000) - 60,
  expires_at: null,
  name: "played.wav",
  model: "demo",
  options: {},
  duration: 10,
  processed: 10,
  language: "en",
  error: null,
  ...more,
});

export const refusal = (status, message, more = {}, headers = {}) => ({
  status,
  headers,
  contentType: "application/json",
  body: JSON.stringify({ error: { message, type: "invalid_request_error", param: null, code: null, ...more } }),
});

/** Plays a job that is done, with a transcript of its own. */
export async function play(page, result, more = {}) {
  await page.route("**/v1/jobs/job_played", (route) => route.fulfill({ json: job(more) }));
  await page.route("**/v1/jobs/job_played/result*", (route) => route.fulfill({ json: result }));
  // With ranges, as the server has them: a browser does not go to places of a sound without.
  const sound = await readFile(sample("two-voices.wav"));
  await page.route("**/v1/jobs/job_played/audio", (route) => {
    const [, from, to] = /bytes=(\d+)-(\d*)/.exec(route.request().headers().range ?? "") ?? [null, "0", ""];
    const part = sound.subarray(Number(from), to ? Number(to) + 1 : undefined);
    const range = `bytes ${from}-${Number(from) + part.length - 1}/${sound.length}`;
    return route.fulfill({ status: 206, body: part, contentType: "audio/wav", headers: { "accept-ranges": "bytes", "content-range": range } });
  });
  await page.goto("/#/jobs/job_played");
}
