import { expect, play, test, text } from "./helpers.js";

// A trace copies the whole page at every step, which is what would be measured.
test.use({ trace: "off" });

test("a long transcript stays quick", async ({ page }) => {
  const segments = Array.from({ length: 4000 }, (_, id) => ({ id, start: id * 3, end: id * 3 + 2.9, text: ` Sentence number ${id} is said here for the record.` }));
  await play(page, { language: "english", duration: 12_000, text: "", segments }, { duration: 12_000 });
  await expect(text(page)).toContainText("Sentence number 3999");
  const begun = Date.now();
  await page.keyboard.press("/");
  await page.keyboard.type("number 3998");
  await expect(page.locator(".find-count")).toHaveText("1 of 1");
  await expect(page.locator(".segment[data-at='3998']")).toBeInViewport();
  expect(Date.now() - begun).toBeLessThan(8000);
});
