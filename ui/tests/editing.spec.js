import { readFile } from "node:fs/promises";
import { expect, expectAccessible, play, test, text, transcribed } from "./helpers.js";

const DOUBTFUL = {
  task: "transcribe",
  language: "english",
  duration: 10,
  text: "He burned the key. Where did you put it?",
  segments: [
    { id: 0, start: 0, end: 2, text: " He burned the key.", speaker: "left" },
    { id: 1, start: 2.4, end: 5, text: " Where did you put it?", speaker: "right" },
  ],
  words: [
    ["He", 0, 0.4, 0.9], ["burned", 0.4, 0.9, 0.3], ["the", 0.9, 1.2, 0.99], ["key.", 1.2, 2, 0.9],
    ["Where", 2.4, 2.8, 0.9], ["did", 2.8, 3, 0.9], ["you", 3, 3.4, 0.45], ["put", 3.4, 4, 0.9], ["it?", 4, 5, 0.9],
  ].map(([word, start, end, probability]) => ({ word, start, end, probability })),
};

test("edited, searched, undone, kept and exported", async ({ page }) => {
  await transcribed(page, "two-voices.wav");
  await page.locator(".word", { hasText: "burned" }).dblclick();
  const field = page.getByRole("textbox", { name: "Text at 0 seconds" });
  await expect(field).toBeFocused();
  await expectAccessible(page, "editor");
  await field.fill("He turned the key and ran gladly away.");
  await page.getByRole("button", { name: "Done" }).click();
  await expect(text(page)).toContainText("He turned the key and ran gladly away.");
  await expect(page.getByText("Your changes are kept in this browser")).toBeVisible();

  // Words that stayed have their times; new ones lie between.
  await page.locator(".word", { hasText: "turned" }).click();
  await expect(page.locator(".word.now")).toHaveText("turned");

  await page.getByRole("button", { name: "Search" }).click();
  await page.getByRole("searchbox", { name: "Search the text" }).fill("the");
  await expect(page.locator(".find-count")).toHaveText("1 of 4");
  await page.keyboard.press("Enter");
  await expect(page.locator(".find-count")).toHaveText("2 of 4");
  await page.keyboard.press("Shift+Enter");
  await page.keyboard.press("Shift+Enter");
  await expect(page.locator(".find-count")).toHaveText("4 of 4");
  await expectAccessible(page, "search");
  await page.getByText("Replace", { exact: true }).first().click();
  await page.getByRole("textbox", { name: "Replace by" }).fill("THE");
  await page.getByRole("button", { name: "All" }).click();
  await expect(text(page)).toContainText("He turned THE key");
  await page.keyboard.press("Escape");
  await page.getByRole("button", { name: "Undo" }).click();
  await expect(text(page)).toContainText("He turned the key");

  await page.reload();
  await expect(text(page)).toContainText("ran gladly away.");
  const waiting = page.waitForEvent("download");
  await page.locator("export-menu summary").click();
  await page.locator("[data-format=srt]").click();
  const subtitles = await readFile(await (await waiting).path(), "utf8");
  expect(subtitles).toContain("He turned the key and ran gladly away.");

  await page.keyboard.press("Control+z");
  await expect(text(page)).toContainText("He burned the key and ran sadly.");
  await page.keyboard.press("Control+Shift+Z");
  await expect(text(page)).toContainText("ran gladly away.");
  await page.getByRole("button", { name: "Back to the original" }).click();
  await expect(text(page)).toContainText("He burned the key and ran sadly.");
});

test("what is given up can be had again", async ({ page }) => {
  await play(page, DOUBTFUL);
  await page.locator(".word", { hasText: "key." }).dblclick();
  await page.keyboard.type(" Really.");
  await page.keyboard.press("Escape");
  await expect(text(page)).not.toContainText("Really");
  await page.getByRole("button", { name: "Keep them" }).click();
  await expect(text(page)).toContainText("He burned the key. Really.");
});

test("unsure words and speakers", async ({ page }) => {
  await play(page, DOUBTFUL);
  await expect(page.locator(".unsure")).toHaveText(["burned", "you"]);
  await page.keyboard.press("u");
  await expect(page.locator(".word.now")).toHaveText("burned");
  await page.keyboard.press("u");
  await expect(page.locator(".word.now")).toHaveText("you");
  const toggle = page.getByRole("button", { name: "Mark unsure words (2)" });
  await expect(toggle).toHaveAttribute("aria-pressed", "true");
  await toggle.click();
  await expect(page.locator("[data-marks=false]")).toBeVisible();
  await expect(toggle).toBeFocused();

  await page.getByRole("button", { name: "right" }).click();
  await expectAccessible(page, "speaker");
  await page.getByLabel("Name").fill("Laura");
  await page.keyboard.press("Enter");
  await expect(page.locator(".speaker")).toHaveText(["left", "Laura"]);
  await page.getByRole("button", { name: "Undo" }).click();
  await expect(page.locator(".speaker")).toHaveText(["left", "right"]);
});

test("words without blanks between them", async ({ page }) => {
  await play(page, {
    language: "japanese", duration: 4, text: "今日は晴れ。",
    segments: [{ id: 0, start: 0, end: 4, text: "今日は晴れ。" }],
    words: [{ word: "今日", start: 0, end: 1 }, { word: "は", start: 1, end: 2 }, { word: "晴れ。", start: 2, end: 4 }],
  });
  await expect(page.locator(".word")).toHaveText(["今日", "は", "晴れ。"]);
  await page.locator(".word", { hasText: "晴れ" }).click();
  await expect(page.locator(".word.now")).toHaveText("晴れ。");
});
