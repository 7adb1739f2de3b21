import { readFile } from "node:fs/promises";
import { expect, expectAccessible, sample, send, test, text, transcribed } from "./helpers.js";

test("from a file to every format", async ({ page }) => {
  await transcribed(page, "ten-sentences.opus");
  await expect(page.getByRole("heading", { level: 1 })).toHaveText("ten-sentences.opus");
  await expect(text(page)).toContainText("Good morning, my name is Henry Parker.");
  await expect(page.locator(".facts")).toContainText("English");
  await expectAccessible(page, "transcript");

  const formats = { text: "txt", srt: "srt", vtt: "vtt", ass: "ass", verbose_json: "json", json: "json", csv: "csv", tsv: "tsv", lrc: "lrc", aud: "txt" };
  for (const [format, ending] of Object.entries(formats)) {
    await page.locator("export-menu summary").click();
    const waiting = page.waitForEvent("download");
    await page.locator(`export-menu [data-format=${format}]`).click();
    const download = await waiting;
    expect(download.suggestedFilename()).toBe(`ten-sentences.${ending}`);
    expect(await readFile(await download.path(), "utf8"), format).toContain("Henry");
  }
});

test("the text in the clipboard", async ({ page }) => {
  await transcribed(page, "english.wav");
  await page.getByRole("button", { name: "Copy" }).click();
  await expect(page.locator("#notices")).toContainText("clipboard");
  expect(await page.evaluate(() => navigator.clipboard.readText())).toBe("Please check the server every eleven weeks.");
});

test("several files at once, found again by their names", async ({ page }) => {
  await send(page, "english.mp3", "german.wav");
  const first = page.locator(".job", { hasText: "english.mp3" }).first();
  const second = page.locator(".job", { hasText: "german.wav" }).first();
  await expect(first.locator(".job-facts")).toContainText("English", { timeout: 30_000 });
  await expect(second.locator(".job-facts")).toContainText("German", { timeout: 30_000 });
  await page.getByLabel("Find by name").fill("german");
  await expect(first).toBeHidden();
  await expect(second).toBeVisible();
  await page.getByRole("button", { name: "Failed" }).click();
  await expect(page.getByText("None of them is like that.")).toBeVisible();
  await expectAccessible(page, "list");
});

test("dropped anywhere", async ({ page }) => {
  await page.goto("/#/status");
  await expect(page.getByRole("heading", { name: "Status" })).toBeVisible();
  const bytes = [...(await readFile(sample("english.mp3")))];
  const data = await page.evaluateHandle((bytes) => {
    const transfer = new DataTransfer();
    transfer.items.add(new File([new Uint8Array(bytes)], "dropped.mp3", { type: "audio/mpeg" }));
    return transfer;
  }, bytes);
  await page.dispatchEvent("body", "drop", { dataTransfer: data });
  await expect(page.getByRole("list", { name: "Chosen files" })).toContainText("dropped.mp3");
  await expect(page.getByRole("list", { name: "Chosen files" })).toContainText("0:03");
});

test("silence is said to be silence", async ({ page }) => {
  await send(page, "silence.flac");
  await expect(page.getByText("No speech was found in this recording.")).toBeVisible({ timeout: 30_000 });
  await expectAccessible(page, "empty transcript");
});

test("a reload in the middle loses nothing", async ({ page }) => {
  await send(page, "ten-sentences.opus");
  await page.waitForURL(/#\/jobs\//);
  await page.reload();
  await expect(text(page)).toContainText("annual proposal by Tuesday?", { timeout: 45_000 });
  await page.reload();
  await expect(text(page)).toContainText("Who admired my lonely bell?");
});

test("the words light up in step, and lead into the sound", async ({ page }) => {
  await transcribed(page, "english.wav");
  await expect(page.locator("sound-waveform")).toHaveAttribute("data-drawn", "");
  await page.getByLabel("Speed").selectOption("0.5");
  await page.locator(".word", { hasText: "server" }).click();
  await expect(page.locator(".word.now")).toHaveText("server");
  await page.getByRole("button", { name: "Play", exact: true }).click();
  await expect(page.getByRole("button", { name: "Pause", exact: true })).toBeVisible();
  await page.waitForFunction(() => document.querySelector(".word.now")?.textContent === "eleven", null, { polling: 50 });
  await expect(page.locator(".player-time")).toHaveText(/0:0[123] \/ 0:03/);
});

test("deleting asks first", async ({ page }) => {
  const id = await transcribed(page, "english.wav");
  await page.getByRole("button", { name: "Delete" }).click();
  const dialog = page.getByRole("dialog");
  await expect(dialog).toContainText("english.wav");
  await expectAccessible(page, "confirmation");
  await dialog.getByRole("button", { name: "Keep" }).click();
  await expect(text(page)).toBeVisible();
  await page.getByRole("button", { name: "Delete" }).click();
  await dialog.getByRole("button", { name: "Delete" }).click();
  await page.waitForURL(/#\/$/);
  await expect(page.locator(`a[href="#/jobs/${id}"]`)).toHaveCount(0);
});
