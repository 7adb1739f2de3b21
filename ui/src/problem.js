// What went wrong, in the server's words, and when it may be tried again.

import { ApiError, Unreachable } from "./api.js";
import { h } from "./element.js";
import { count } from "./format.js";

/**
 * @param {unknown} error
 * @param {() => void} [retry]
 */
export function problem(error, retry) {
  const text = error instanceof Error ? error.message : String(error);
  const box = h("div", { class: "problem", role: "alert" }, h("p", {}, text));
  if (error instanceof ApiError && error.status === 401) box.append(h("p", { class: "hint" }, "Nothing is shown without a key."));
  if (error instanceof ApiError && error.status >= 500 && error.request) box.append(h("p", { class: "hint" }, `Request ${error.request}`));
  if (!retry) return box;
  const again = h("button", { type: "button", onclick: retry }, error instanceof ApiError && error.status === 401 ? "Give a key" : "Try again");
  box.append(again);
  const after = error instanceof ApiError ? error.retryAfter : error instanceof Unreachable ? 5 : null;
  if (after) countDown(box, again, after, retry);
  return box;
}

/**
 * @param {HTMLElement} box
 * @param {HTMLElement} button
 * @param {number} seconds
 * @param {() => void} retry
 */
function countDown(box, button, seconds, retry) {
  const until = Date.now() + seconds * 1000;
  // Not spoken: a number each second would drown everything else.
  const place = h("span", { class: "hint", "aria-hidden": "true" });
  button.after(place);
  const tick = () => {
    const left = Math.ceil((until - Date.now()) / 1000);
    place.textContent = ` by itself in ${count(Math.max(0, left), "second")}`;
    if (left <= 0 && box.isConnected) retry();
    else if (left > 0) setTimeout(tick, 250);
  };
  tick();
}
