// Following a job: its events, read from a fetch because an EventSource cannot send a key.

import { ApiError, Unreachable, call, jobPath } from "./api.js";

/** @import { JobEvent } from "../types.js" */

/**
 * The `data` of server-sent events, as their lines come in.
 * @param {ReadableStream<Uint8Array>} body
 */
async function* eventData(body) {
  const reader = body.pipeThrough(/** @type {ReadableWritablePair<string, any>} */ (new TextDecoderStream())).getReader();
  let rest = "";
  /** @type {string[]} */
  let data = [];
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    const lines = (rest + value).split(/\r\n|\n|\r(?!$)/);
    rest = lines.pop() ?? "";
    for (const line of lines) {
      if (line.startsWith("data:")) data.push(line.slice(5).replace(/^ /, ""));
      else if (line === "" && data.length > 0) {
        yield data.join("\n");
        data = [];
      }
    }
  }
}

/** @param {number} milliseconds @param {AbortSignal} signal */
function pause(milliseconds, signal) {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, milliseconds);
    signal.addEventListener("abort", () => (clearTimeout(timer), resolve(undefined)), { once: true });
  });
}

/**
 * Tells what happens to a job until it is over. A connection that breaks is made again; then the segments that are
 * known come once more, and whoever listens tells them apart by their numbers.
 * @param {string} id
 * @param {(event: JobEvent) => void} tell
 * @param {AbortSignal} signal
 */
export async function follow(id, tell, signal) {
  let wait = 500;
  while (!signal.aborted) {
    try {
      const response = await call(jobPath(id, "/events"), { signal, headers: { Accept: "text/event-stream" } });
      if (!response.body) throw new Unreachable();
      for await (const text of eventData(response.body)) {
        const event = JSON.parse(text);
        if (event.error) throw new ApiError(500, event.error, null, null);
        tell(event);
        if (event.type === "job.done") return;
        wait = 500;
      }
    } catch (error) {
      if (signal.aborted) return;
      if (error instanceof ApiError && error.status < 500 && error.status !== 429) throw error;
      if (error instanceof ApiError && error.retryAfter) wait = error.retryAfter * 1000;
    }
    await pause(wait, signal);
    wait = Math.min(wait * 2, 10_000);
  }
}
