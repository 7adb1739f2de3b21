import { expect, expectAccessible, job, refusal, sample, send, test, text } from "./helpers.js";

test.use({ allowed: [/Failed to load resource/] });

test("a key is asked for, refused, given and remembered", async ({ page }) => {
  await page.route("**/v1/**", (route) =>
    route.request().headers().authorization === "Bearer right" ? route.continue() : route.fulfill(refusal(401, "a key is needed", { code: "invalid_api_key" })),
  );
  await page.goto("/");
  const dialog = page.getByRole("dialog", { name: "A key is needed" });
  await expect(dialog).toHaveCount(1);
  await expectAccessible(page, "key");
  await dialog.getByLabel("Key", { exact: true }).fill("wrong");
  await dialog.getByRole("button", { name: "Use this key" }).click();
  await expect(dialog).toContainText("did not take that key");
  await dialog.getByLabel("Key", { exact: true }).fill("right");
  await dialog.getByLabel("Remember it in this browser").check();
  await page.keyboard.press("Enter");
  await expect(page.getByLabel("Model")).toBeEnabled();
  await page.reload();
  await expect(page.getByLabel("Model")).toBeEnabled();
  expect(await page.evaluate(() => localStorage.getItem("amanuensis.key"))).toBe('"right"');

  // With a key everything is fetched with it: the upload, the events, the sound.
  await send(page, "english.wav");
  await expect(text(page)).toContainText("Please check the server", { timeout: 30_000 });
  await expect(page.locator("sound-waveform")).toHaveAttribute("data-drawn", "");
  await page.reload();
  await page.getByRole("button", { name: "Play", exact: true }).click();
  await expect(page.locator(".word.now")).toBeVisible();
});

test("without a key nothing is shown", async ({ page }) => {
  await page.route("**/v1/**", (route) => route.fulfill(refusal(401, "a key is needed")));
  await page.goto("/#/status");
  await page.getByRole("button", { name: "Cancel" }).click();
  await expect(page.getByRole("alert")).toContainText("a key is needed");
  await page.getByRole("button", { name: "Give a key" }).click();
  await expect(page.getByRole("dialog")).toBeVisible();
});

test("a job that fails says why, and can be tried again", async ({ page }) => {
  await page.route("**/v1/jobs/job_played", (route) => route.fulfill({ json: job({ status: "running", processed: 2 }) }));
  const failed = job({ status: "failed", error: { message: "the sound ends in the middle of a frame", type: "invalid_request_error", param: "file", code: null } });
  const events = [{ type: "job.status", job: job({ status: "running", processed: 2 }) }, { type: "job.progress", processed: 4, total: 10 }, { type: "job.done", job: failed }];
  await page.route("**/v1/jobs/job_played/events", (route) => route.fulfill({ contentType: "text/event-stream", body: `: ping\n\n${events.map((event) => `data: ${JSON.stringify(event)}\n\n`).join("")}` }));
  await page.route("**/v1/jobs/job_played/audio", (route) => route.fulfill({ path: sample("english.wav"), contentType: "audio/wav" }));
  await page.goto("/#/jobs/job_played");
  await expect(page.getByRole("alert")).toContainText("the sound ends in the middle of a frame");
  await expectAccessible(page, "failed job");
  await page.getByRole("button", { name: "Try again" }).click();
  await expect(page.getByRole("list", { name: "Chosen files" })).toContainText("played.wav");
});

test("events that break off are taken up again", async ({ page }) => {
  const segment = (id, words) => ({ type: "job.segment", segment: { id, start: id * 2, end: id * 2 + 2, text: ` ${words}` } });
  const running = { type: "job.status", job: job({ status: "running", processed: 2 }) };
  const bodies = [
    [running, segment(0, "First."), { type: "job.progress", processed: 3, total: 10 }],
    [running, segment(0, "First."), segment(1, "Second."), { type: "job.done", job: job() }],
  ];
  await page.route("**/v1/jobs/job_played", (route) => route.fulfill({ json: running.job }));
  await page.route("**/v1/jobs/job_played/audio", (route) => route.fulfill(refusal(404, "gone", { code: "not_found" })));
  await page.route("**/v1/jobs/job_played/result*", (route) => route.fulfill({ json: { text: "", segments: [segment(0, "First.").segment, segment(1, "Second.").segment] } }));
  await page.route("**/v1/jobs/job_played/events", (route) => route.fulfill({ contentType: "text/event-stream", body: bodies.shift()?.map((event) => `data: ${JSON.stringify(event)}\n\n`).join("") ?? "" }));
  await page.goto("/#/jobs/job_played");
  await expect(text(page)).toContainText("First. Second.");
  await expect(page.locator(".segment")).toHaveCount(2);
  await expect(page.getByText("The sound is no longer kept")).toBeVisible();
});

test("queued: how much sound is ahead, and the model that is being loaded", async ({ page }) => {
  let state = "ready";
  await page.route("**/v1/jobs/job_played", (route) => route.fulfill({ json: job({ status: "queued", processed: 0, started_at: null, finished_at: null }) }));
  await page.route("**/v1/jobs/job_played/events", () => {});
  await page.route("**/v1/jobs/job_played/cancel", (route) => route.fulfill({ json: job({ status: "cancelled" }) }));
  await page.route("**/v1/jobs/job_played/audio", (route) => route.fulfill({ path: sample("english.wav"), contentType: "audio/wav" }));
  await page.route("**/v1/status", async (route) => {
    const status = await (await route.fetch()).json();
    await route.fulfill({ json: { ...status, queue: { ...status.queue, queued_seconds: 300 }, models: [{ id: "demo", state }] } });
  });
  await page.goto("/#/jobs/job_played");
  await expect(page.getByText("5 minutes of sound in the queue")).toBeVisible();
  state = "loading";
  await expect(page.getByText("The model is being loaded")).toBeVisible();
  await expectAccessible(page, "queued");
  await page.getByRole("button", { name: "Cancel" }).click();
  await expect(page.getByText("This was cancelled.")).toBeVisible();
});

test("too much at once: it waits as long as it is told to", async ({ page }) => {
  let count = 0;
  const keys = new Set();
  await page.route("**/v1/jobs", (route) => {
    if (route.request().method() !== "POST") return route.continue();
    keys.add(route.request().headers()["idempotency-key"]);
    return count++ === 0 ? route.fulfill(refusal(429, "the queue is full", { code: "queue_full" }, { "retry-after": "3" })) : route.continue();
  });
  await send(page, "english.wav");
  await expect(page.locator(".upload")).toContainText(/the queue is full Again in [123] s/);
  await expect(text(page)).toContainText("Please check", { timeout: 30_000 });
  expect(keys.size, "one idempotency key for all tries").toBe(1);
});

test("a list that may not be asked for so often", async ({ page }) => {
  let count = 0;
  await page.route("**/v1/jobs?*", (route) => (count++ === 0 ? route.fulfill(refusal(429, "slower, please", {}, { "retry-after": "2" })) : route.continue()));
  await page.goto("/");
  await expect(page.getByRole("alert")).toContainText("slower, please");
  await expect(page.getByText(/by itself in [12] second/)).toBeVisible();
  await expect(page.getByRole("alert")).toHaveCount(0);
});

test("a file that is no sound", async ({ page }) => {
  await page.route("**/v1/jobs", (route) => (route.request().method() === "POST" ? route.fulfill(refusal(415, "this is not a sound", { code: "unsupported_media_type" })) : route.continue()));
  await send(page, "README.md");
  await expect(page.locator(".upload")).toContainText("this is not a sound");
  await expect(page.getByRole("button", { name: "Send README.md again" })).toBeVisible();
  await expectAccessible(page, "refused upload");
});

test("nobody answers, and then somebody does", async ({ page, context }) => {
  await page.goto("/");
  await expect(page.getByLabel("Model")).toBeEnabled();
  await context.setOffline(true);
  await page.getByRole("link", { name: "Status" }).click();
  await expect(page.getByText("The server does not answer. This page looks for it")).toBeVisible();
  await expectAccessible(page, "unreachable");
  await context.setOffline(false);
  await expect(page.getByText("Version")).toBeVisible();
  await expect(page.getByText("This page looks for it")).toBeHidden();
});

test("a transcript that is not there", async ({ page }) => {
  await page.goto("/#/jobs/job_nowhere");
  await expect(page.getByRole("heading", { name: "There is no such transcript" })).toBeVisible();
});
