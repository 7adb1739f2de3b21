import { readFile } from "node:fs/promises";
import { chromium } from "@playwright/test";
import { expect, expectAccessible, sample, test as base } from "./helpers.js";

/** A browser whose microphone hears a recording, over and over. */
const test = base.extend({
  page: async ({ baseURL, launchOptions }, use) => {
    const args = [...(launchOptions.args ?? []), `--use-file-for-fake-audio-capture=${sample("english.wav")}`];
    const browser = await chromium.launch({ ...launchOptions, args });
    const context = await browser.newContext({ baseURL, permissions: ["microphone"] });
    await use(await context.newPage());
    await browser.close();
  },
});

const captions = (page) => page.getByRole("log", { name: "Captions" });

async function begin(page) {
  await page.goto("/#/live");
  await expect(page.getByLabel("Model")).toBeEnabled();
  await page.getByRole("button", { name: "Start" }).click();
}

test("what is said is written while it is said", async ({ page }) => {
  await begin(page);
  await expect(captions(page)).toContainText("Please check the server every eleven weeks.", { timeout: 40_000 });
  await expect(page.getByRole("timer")).not.toHaveText("0:00");
  await expectAccessible(page, "captions");
  await page.screenshot({ path: `${process.env.SHOTS ?? "/tmp/ui-shots"}/light-captions.png` });
  await page.getByRole("button", { name: "Stop" }).click();
  await expect(page.getByRole("toolbar", { name: "Captions" })).toBeVisible({ timeout: 30_000 });
  await expect(page.getByRole("button", { name: "Start" })).toBeFocused();
  const written = await captions(page).textContent();

  await page.locator("export-menu summary").click();
  const waiting = page.waitForEvent("download");
  await page.locator("export-menu [data-format=srt]").click();
  const srt = await readFile(await (await waiting).path(), "utf8");
  expect(srt).toContain("00:00:0");
  expect(srt).toContain("eleven weeks");
  expect(written).toContain("0:0");
});

test("a connection that breaks is taken up where it was", async ({ page }) => {
  let connections = 0;
  await page.routeWebSocket(/v1\/live/, (socket) => {
    connections += 1;
    const server = socket.connectToServer();
    const isFirst = connections === 1;
    socket.onMessage((message) => server.send(message));
    server.onMessage((message) => {
      socket.send(message);
      if (isFirst && String(message).includes('"partial"')) void Promise.all([server.close(), socket.close({ code: 1012 })]);
    });
  });
  await begin(page);
  await expect(captions(page)).toContainText("Please check the server every eleven weeks.", { timeout: 40_000 });
  await page.getByRole("button", { name: "Stop" }).click();
  await expect(page.getByRole("toolbar", { name: "Captions" })).toBeVisible({ timeout: 30_000 });
  expect(connections).toBeGreaterThanOrEqual(2);
});

test("a microphone that is forbidden, and a server that refuses", async ({ page }) => {
  await page.goto("/#/live");
  await expect(page.getByLabel("Model")).toBeEnabled();
  await page.evaluate(() => {
    navigator.mediaDevices.getUserMedia = () => Promise.reject(new DOMException("no", "NotAllowedError"));
  });
  await page.getByRole("button", { name: "Start" }).click();
  await expect(page.getByRole("alert")).toContainText("does not let this page use the microphone");

  await page.reload();
  await page.routeWebSocket(/v1\/live/, (socket) => {
    const error = { message: "there are 8 live sessions, which is as many as this server has", type: "rate_limit_error", param: null, code: "busy" };
    socket.onMessage(() => {
      socket.send(JSON.stringify({ type: "error", error }));
      void socket.close({ code: 1008 });
    });
  });
  await begin(page);
  await expect(page.getByRole("alert")).toContainText("as many as this server has");
  await expect(page.getByRole("button", { name: "Start" })).toBeEnabled();
});
