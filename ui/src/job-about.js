// What stands below a transcript: how it was made, and what can be done with the job.

import { ApiError, call, deleteJob, jobPath } from "./api.js";
import { h, iconButton, notice, present } from "./element.js";
import { moment, roughly } from "./format.js";
import { confirmDelete } from "./job-list.js";
import { forgetJob } from "./storage.js";
import { tray } from "./tray.js";
import { localFiles } from "./uploads.js";

/** @import { Job } from "../types.js" */

/** @param {HTMLElement} place @param {Job} job @param {(() => void) | null} restore gives the original back, if it is not that */
export function showAbout(place, job, restore) {
  const took = job.started_at && job.finished_at ? job.finished_at - job.started_at : null;
  const options = Object.entries(job.options ?? {}).filter(([, value]) => value !== null && value !== "");
  /** @type {[string, string | null][]} */
  const facts = [
    ["Model", job.model],
    ["Made", moment(job.created_at)],
    ["Took", took === null ? null : took < 1 ? "less than a second" : roughly(took)],
    ["Kept until", job.expires_at ? moment(job.expires_at) : null],
    ...options.map(([name, value]) => /** @type {[string, string]} */ ([name, typeof value === "string" ? value : JSON.stringify(value)])),
    ["Job", job.id],
  ];
  const isOpen = place.querySelector("details")?.open ?? false;
  const list = facts.map(([name, value]) => (value === null ? null : h("div", {}, h("dt", {}, name), h("dd", {}, value))));
  place.replaceChildren(
    ...present([
      restore &&
        h("p", { class: "edited" }, "Your changes are kept in this browser and go into every export. ", h("button", { type: "button", class: "link", onclick: restore }, "Back to the original")),
      h("details", { open: isOpen }, h("summary", {}, "How it was made"), h("dl", { class: "facts-list" }, ...list)),
      h("div", { class: "about-tools" }, iconButton("again", "Transcribe again", () => void again(job), { class: "quiet" }), iconButton("delete", "Delete", () => void remove(job), { class: "quiet" })),
    ]),
  );
}

/** The same sound once more, with other options perhaps. @param {Job} job */
export async function again(job) {
  try {
    const file = localFiles.get(job.id) ?? new File([await (await call(jobPath(job.id, "/audio"))).blob()], job.name || "recording");
    tray.add([file]);
    location.hash = "#/";
  } catch (error) {
    notice(error instanceof ApiError && error.status === 404 ? "The server no longer has the sound. Choose the file again." : String(error instanceof Error ? error.message : error));
  }
}

/** @param {Job} job */
async function remove(job) {
  if (!(await confirmDelete(job))) return;
  try {
    await deleteJob(job.id);
    forgetJob(job.id);
    location.hash = "#/";
    notice("Deleted.");
  } catch (error) {
    notice(error instanceof Error ? error.message : String(error));
  }
}
