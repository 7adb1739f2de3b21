// Every view, light, dark and on a phone: nothing sticks out, axe finds nothing grave, and a picture for people to look at.

import { mkdirSync } from "node:fs";
import { expect, expectAccessible, test, transcribed } from "./helpers.js";

const SHOTS = process.env.SHOTS ?? "/tmp/ui-shots";
mkdirSync(SHOTS, { recursive: true });

const looks = {
  light: { colorScheme: "light" },
  dark: { colorScheme: "dark" },
  phone: { viewport: { width: 360, height: 740 }, deviceScaleFactor: 2, hasTouch: true, isMobile: true },
};

for (const [look, options] of Object.entries(looks)) {
  test.describe(look, () => {
    test.use(options);

    test("every view", async ({ page }) => {
      test.setTimeout(120_000);
      const seen = async (name) => {
        await page.screenshot({ path: `${SHOTS}/${look}-${name}.png` });
        // A phone widens its window to what sticks out, but not the element; and taps then miss what they are meant for.
        const width = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
        expect(width, `${name} is not wider than the window`).toBeLessThanOrEqual(0);
        await expectAccessible(page, name);
      };
      await transcribed(page, "ten-sentences.opus");
      await page.waitForTimeout(500);
      await seen("transcript");
      await page.locator(".word", { hasText: "baseball" }).click();
      await seen("word");
      await page.keyboard.press("/");
      await page.keyboard.type("the");
      await seen("search");
      await page.keyboard.press("Escape");
      await page.keyboard.press("e");
      await seen("editor");
      await page.keyboard.press("Escape");
      await page.getByRole("button", { name: "Every segment on its own line" }).click();
      await seen("lines");
      await page.locator("export-menu summary").click();
      await seen("export");
      await page.keyboard.press("Escape");
      await page.keyboard.press("?");
      await seen("help");
      await page.keyboard.press("Escape");
      await page.getByText("How it was made").click();
      await page.getByText("How it was made").scrollIntoViewIfNeeded();
      await seen("about");
      await page.goto("/#/status");
      await expect(page.getByText("Version")).toBeVisible();
      await seen("status");
      await page.goto("/#/");
      await expect(page.locator(".job").first()).toBeVisible();
      await seen("home");
      await page.getByText("More options").click();
      await seen("options");
    });
  });
}

test("the colours are chosen, and stay", async ({ page }) => {
  const paper = () => page.evaluate(() => getComputedStyle(document.documentElement).backgroundColor);
  await page.emulateMedia({ colorScheme: "light" });
  await page.goto("/");
  const light = await paper();
  await page.emulateMedia({ colorScheme: "dark" });
  const dark = await paper();
  expect(dark).not.toBe(light);
  const button = page.getByRole("button", { name: /^Colours/ });
  await button.click();
  await expect(button).toHaveAccessibleName("Colours: light");
  expect(await paper()).toBe(light);
  await page.reload();
  expect(await paper()).toBe(light);
  await button.click();
  expect(await paper()).toBe(dark);
  await button.click();
  await expect(button).toHaveAccessibleName(/system/);
});

test("a phone, from the file to the export", async ({ browser }) => {
  const context = await browser.newContext({ viewport: { width: 360, height: 740 }, hasTouch: true, isMobile: true, deviceScaleFactor: 2 });
  const page = await context.newPage();
  await transcribed(page, "two-voices.wav");
  await page.locator(".word", { hasText: "lonely" }).tap();
  await expect(page.locator(".word.now")).toHaveText("lonely");
  await page.getByRole("button", { name: /^Edit the paragraph/ }).first().tap();
  await page.getByRole("textbox", { name: /^Text at/ }).first().fill("He burned the toast.");
  await page.getByRole("button", { name: "Done" }).tap();
  await expect(page.locator("transcript-text")).toContainText("He burned the toast.");
  const waiting = page.waitForEvent("download");
  await page.locator("export-menu summary").tap();
  await page.locator("[data-format=text]").tap();
  expect((await waiting).suggestedFilename()).toBe("two-voices.txt");
  await context.close();
});
