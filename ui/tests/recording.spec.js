import { expect, expectAccessible, test } from "./helpers.js";

test("from the microphone", async ({ page }) => {
  await page.goto("/");
  await expect(page.getByLabel("Model")).toBeEnabled();
  await page.getByRole("button", { name: "Record", exact: true }).click();
  const recorder = page.getByRole("group", { name: "Recording" });
  await expect(recorder.getByRole("timer")).toHaveText("0:02");
  await expectAccessible(page, "recorder");

  await recorder.getByRole("button", { name: "Pause" }).click();
  const held = await recorder.getByRole("timer").textContent();
  await page.waitForTimeout(1300);
  await expect(recorder.getByRole("timer")).toHaveText(held ?? "");
  await recorder.getByRole("button", { name: "Go on" }).click();
  await expect(recorder.getByRole("timer")).not.toHaveText(held ?? "");
  await recorder.getByRole("button", { name: "Stop" }).click();

  await expect(page.getByRole("list", { name: "Chosen files" })).toContainText(/Recording .*\.webm/);
  await page.getByRole("button", { name: "Transcribe", exact: true }).click();
  await page.waitForURL(/#\/jobs\//);
  // The beeps of a pretended microphone may be heard as a word or as nothing; both are an end.
  await expect(page.getByText("No speech was found").or(page.getByRole("toolbar", { name: "Transcript" }))).toBeVisible({ timeout: 30_000 });
  await expect(page.locator(".player-time")).toHaveText(/0:00 \/ 0:[01]\d/);
});

test("a recording that is not wanted is gone", async ({ page }) => {
  await page.goto("/");
  await page.getByRole("button", { name: "Record", exact: true }).click();
  await expect(page.getByRole("timer")).toHaveText("0:01");
  await page.getByRole("button", { name: "Discard" }).click();
  await expect(page.getByRole("group", { name: "Recording" })).toBeHidden();
  await expect(page.getByRole("list", { name: "Chosen files" })).toBeHidden();
});

test("a microphone that is forbidden", async ({ page }) => {
  await page.addInitScript(() => {
    navigator.mediaDevices.getUserMedia = () => Promise.reject(new DOMException("no", "NotAllowedError"));
  });
  await page.goto("/");
  await page.getByRole("button", { name: "Record", exact: true }).click();
  await expect(page.getByText("does not let this page use the microphone")).toBeVisible();
});
