import { defineConfig } from "@playwright/test";

export default defineConfig({
  testDir: ".",
  timeout: 60_000,
  expect: { timeout: 15_000 },
  workers: 1,
  reporter: process.env.CI ? "line" : "list",
  outputDir: "/tmp/ui-test-results",
  use: {
    baseURL: process.env.BASE_URL ?? "http://127.0.0.1:8000",
    browserName: "chromium",
    viewport: { width: 1280, height: 860 },
    permissions: ["microphone", "clipboard-read", "clipboard-write"],
    trace: "retain-on-failure",
    launchOptions: {
      executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
      args: ["--no-sandbox", "--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"],
    },
  },
});
