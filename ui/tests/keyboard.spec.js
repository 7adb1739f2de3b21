import { expect, expectAccessible, sample, test, text } from "./helpers.js";

/** Goes on with Tab until something has the focus. */
async function tabTo(page, locator, most = 60) {
  for (let count = 0; count < most; count += 1) {
    if (await locator.evaluate((element) => element === document.activeElement).catch(() => false)) return;
    await page.keyboard.press("Tab");
  }
  throw new Error(`${locator} is not reached with Tab`);
}

test("a whole journey without a mouse", async ({ page }) => {
  await page.goto("/");
  await expect(page.getByLabel("Model")).toBeEnabled();
  await page.keyboard.press("Tab");
  await expect(page.getByRole("link", { name: "To the content" })).toBeFocused();

  const choosing = page.waitForEvent("filechooser");
  await page.keyboard.press("n");
  await (await choosing).setFiles(sample("two-voices.wav"));
  await expect(page.getByRole("button", { name: "Transcribe", exact: true })).toBeFocused();
  await page.keyboard.press("Enter");
  await expect(page.getByRole("toolbar", { name: "Transcript" })).toBeVisible({ timeout: 45_000 });
  await expect(page.getByRole("heading", { level: 1 })).toBeFocused();

  await page.keyboard.press("Space");
  await expect(page.getByRole("button", { name: "Pause", exact: true })).toBeVisible();
  await page.keyboard.press("k");
  await expect(page.getByRole("button", { name: "Play", exact: true })).toBeVisible();
  await page.keyboard.press("l");
  await expect(page.locator(".player-time")).toHaveText(/0:0[5-7]/);
  await page.keyboard.press("j");
  await expect(page.locator(".player-time")).toHaveText(/0:0[0-2]/);
  await page.keyboard.press("]");
  await expect(page.locator(".word.now")).toHaveText("Where");
  await page.keyboard.press("ArrowRight");
  await expect(page.locator(".word.now")).toHaveText("did");
  await page.keyboard.press("[");
  await expect(page.locator(".word.now")).toHaveText("He");
  await page.keyboard.press(">");
  await expect(page.getByLabel("Speed")).toHaveValue("1.1");
  await page.keyboard.press("<");

  await page.keyboard.press("e");
  await page.keyboard.press("Home");
  await page.keyboard.type("Yes. ");
  await page.keyboard.press("Control+Enter");
  await expect(text(page)).toContainText("Yes. He burned");
  await page.keyboard.press("Control+z");
  await expect(text(page)).not.toContainText("Yes.");

  await page.keyboard.press("/");
  await page.keyboard.type("lonely");
  await expect(page.locator(".find-count")).toHaveText("1 of 1");
  await page.keyboard.press("Escape");
  await expect(page.getByRole("button", { name: "Search" })).toBeFocused();

  await tabTo(page, page.locator("export-menu summary"));
  await page.keyboard.press("Enter");
  await page.keyboard.press("ArrowDown");
  await page.keyboard.press("ArrowDown");
  await expect(page.locator("[data-format=srt]")).toBeFocused();
  const waiting = page.waitForEvent("download");
  await page.keyboard.press("Enter");
  expect((await waiting).suggestedFilename()).toBe("two-voices.srt");

  await page.keyboard.press("?");
  await expect(page.getByRole("dialog", { name: "Keyboard" })).toBeVisible();
  await expectAccessible(page, "help");
  await page.getByLabel("Single keys are shortcuts").focus();
  await page.keyboard.press("Space");
  await page.keyboard.press("Escape");
  await page.keyboard.press("t");
  await expect(page).toHaveURL(/#\/jobs\//);

  await tabTo(page, page.getByRole("button", { name: "Delete" }));
  await page.keyboard.press("Enter");
  await expect(page.getByRole("dialog")).toBeVisible();
  await page.keyboard.press("Escape");
  await expect(page.getByRole("button", { name: "Delete" })).toBeFocused();
});
