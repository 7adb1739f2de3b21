// The page as a whole: which view is shown, what is always there, and what concerns all of them.

import { connection, setKeyAsker } from "./api.js";
import { askForKey, showHelp } from "./dialogs.js";
import { h, iconButton } from "./element.js";
import { JobList } from "./job-list.js";
import { JobView } from "./job-view.js";
import { LiveCaptions } from "./live-captions.js";
import { NewTranscript } from "./new-transcript.js";
import { ServerStatus } from "./server-status.js";
import { pressed } from "./shortcuts.js";
import { themeSwitch } from "./theme.js";
import { tray } from "./tray.js";
import { uploads } from "./uploads.js";

/** @import { Job } from "../types.js" */

const content = /** @type {HTMLElement} */ (document.getElementById("content"));

/** The views by their address. @type {[RegExp, (match: RegExpExecArray) => Node[], string][]} */
const ROUTES = [
  [/^#\/jobs\/([^/]+)$/, (match) => [new JobView(decodeURIComponent(match[1]))], "Transcript"],
  [/^#\/live$/, () => [new LiveCaptions()], "Live captions"],
  [/^#\/status$/, () => [new ServerStatus()], "Status"],
  [/^/, () => [new NewTranscript(), new JobList()], "Transcripts"],
];

let isFirst = true;

function show() {
  const hash = location.hash || "#/";
  for (const [pattern, make, name] of ROUTES) {
    const match = pattern.exec(hash);
    if (!match) continue;
    document.title = `${name} – Amanuensis`;
    content.replaceChildren(...make(match));
    break;
  }
  for (const link of document.querySelectorAll(".top nav a")) {
    const isHere = link.getAttribute("href") === (["#/live", "#/status"].includes(hash) ? hash : "#/");
    if (isHere) link.setAttribute("aria-current", hash.startsWith("#/jobs/") ? "true" : "page");
    else link.removeAttribute("aria-current");
  }
  if (!isFirst) {
    scrollTo(0, 0);
    // A screen reader begins where the new view begins.
    if (!content.contains(document.activeElement)) /** @type {HTMLElement} */ (content.querySelector("h1") ?? content).focus({ preventScroll: true });
  }
  isFirst = false;
}

function watchConnection() {
  const place = /** @type {HTMLElement} */ (document.getElementById("connection"));
  let timer = 0;
  const look = async () => {
    clearTimeout(timer);
    try {
      if ((await fetch("livez", { cache: "no-store" })).status < 500) return connection.set(true);
    } catch {
      // Still not there.
    }
    timer = window.setTimeout(look, 3000);
  };
  connection.addEventListener("change", () => {
    place.replaceChildren();
    clearTimeout(timer);
    if (connection.reachable) return;
    place.append(h("p", {}, "The server does not answer. This page looks for it every few seconds. ", h("button", { type: "button", class: "link", onclick: () => void look() }, "Look now")));
    timer = window.setTimeout(look, 3000);
  });
}

/** Files may be dropped anywhere, and pasted. */
function takeFiles() {
  const add = (/** @type {DataTransfer | null} */ data) => {
    const files = [...(data?.files ?? [])];
    if (files.length === 0) return false;
    if (!/^#?\/?$/.test(location.hash)) location.hash = "#/";
    tray.add(files);
    return true;
  };
  let depth = 0;
  const over = (/** @type {number} */ step) => {
    depth = Math.max(0, depth + step);
    document.documentElement.toggleAttribute("data-dropping", depth > 0);
  };
  const hasFiles = (/** @type {DragEvent} */ event) => event.dataTransfer?.types.includes("Files") ?? false;
  addEventListener("dragenter", (event) => hasFiles(event) && over(1));
  addEventListener("dragleave", (event) => hasFiles(event) && over(-1));
  addEventListener("dragover", (event) => hasFiles(event) && event.preventDefault());
  addEventListener("drop", (event) => {
    depth = 0;
    over(0);
    if (add(event.dataTransfer)) event.preventDefault();
  });
  addEventListener("paste", (event) => {
    if (add(event.clipboardData)) event.preventDefault();
  });
}

function keys() {
  addEventListener("keydown", (event) => {
    const key = pressed(event);
    if (key === "?") void showHelp();
    else if (key === "t") location.hash = "#/";
    else if (key === "c") location.hash = "#/live";
    else if (key === "n") {
      location.hash = "#/";
      // The view changes with the next event; a file dialog opens only while the key counts as a gesture.
      setTimeout(() => /** @type {NewTranscript | null} */ (document.querySelector("new-transcript"))?.choose(), 50);
    } else if (key === "/" && document.getElementById("filter")) document.getElementById("filter")?.focus();
    else return;
    event.preventDefault();
  });
}

setKeyAsker(askForKey);
document.getElementById("top-tools")?.append(themeSwitch(), iconButton("help", "Keyboard and help", () => void showHelp(), { bare: true }));
watchConnection();
takeFiles();
keys();
uploads.addEventListener("job", (event) => {
  // A single file is what somebody waits for; of several, the list is.
  const job = /** @type {CustomEvent<Job>} */ (event).detail;
  const isAtHome = /^#?\/?$/.test(location.hash);
  if (isAtHome && uploads.list.length === 0 && !wereSeveral) location.hash = `#/jobs/${encodeURIComponent(job.id)}`;
});
let wereSeveral = false;
uploads.addEventListener("change", () => {
  if (uploads.list.length > 1) wereSeveral = true;
  else if (uploads.list.length === 0) setTimeout(() => (wereSeveral = false));
});
addEventListener("hashchange", show);
show();
