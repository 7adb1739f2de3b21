// The beginning: files dropped, chosen or recorded, how they are to be heard, and off they go.

import { h, icon, iconButton, notice } from "./element.js";
import { clock, count, size } from "./format.js";
import { SettingsForm } from "./settings-form.js";
import { SoundRecorder, whyNoMicrophone } from "./sound-recorder.js";
import { tray } from "./tray.js";
import { uploads } from "./uploads.js";

export class NewTranscript extends HTMLElement {
  #input = h("input", { type: "file", multiple: true, class: "unseen", tabindex: -1, "aria-label": "Sound or video files", accept: "audio/*,video/*,.opus,.caf,.mka,.mkv,.aiff,.flac,.amr" });
  #settings = new SettingsForm();
  #list = h("ul", { class: "tray", "aria-label": "Chosen files" });
  #send = h("button", { type: "button", class: "primary large", onclick: () => this.#begin() }, "Transcribe");
  #place = h("div", { class: "recorder-place" });
  #record = iconButton("microphone", "Record", () => this.#startRecording(), { class: "large" });
  /** @type {Map<File, HTMLElement>} */
  #rows = new Map();
  #onTray = () => this.#show();

  connectedCallback() {
    const refusal = whyNoMicrophone();
    this.append(
      h(
        "section",
        { class: "new", "aria-labelledby": "new-title" },
        h("h1", { id: "new-title", tabindex: -1 }, "Speech, written down"),
        h(
          "div",
          { class: "drop" },
          h("p", { class: "drop-title" }, "Drop sound or video here"),
          h("div", { class: "drop-ways" }, iconButton("files", "Choose files", () => this.choose(), { class: "large" }), refusal ? null : this.#record),
          refusal ? h("p", { class: "hint" }, refusal) : null,
          this.#input,
        ),
        this.#place,
        this.#list,
        this.#settings,
        this.#send,
      ),
    );
    this.#input.addEventListener("change", () => {
      tray.add(this.#input.files ?? []);
      this.#input.value = "";
    });
    tray.addEventListener("change", this.#onTray);
    this.#show();
  }

  disconnectedCallback() {
    tray.removeEventListener("change", this.#onTray);
  }

  choose() {
    this.#input.click();
  }

  #startRecording() {
    if (this.#place.firstChild) return;
    const recorder = new SoundRecorder();
    this.#record.disabled = true;
    recorder.addEventListener("done", (event) => {
      const file = /** @type {CustomEvent<File | null>} */ (event).detail;
      recorder.remove();
      this.#record.disabled = false;
      if (file) tray.add([file]);
      if (!file) this.#record.focus();
    });
    this.#place.append(recorder);
  }

  #show() {
    const files = tray.files;
    const isMore = files.length > this.#rows.size;
    for (const [file, row] of this.#rows) {
      if (files.includes(file)) continue;
      row.remove();
      this.#rows.delete(file);
    }
    for (const file of files) {
      if (this.#rows.has(file)) continue;
      const row = fileRow(file);
      this.#rows.set(file, row);
      this.#list.append(row);
    }
    this.#list.hidden = files.length === 0;
    this.#send.hidden = files.length === 0;
    this.#send.textContent = files.length > 1 ? `Transcribe ${count(files.length, "file")}` : "Transcribe";
    if (isMore) this.#send.focus({ preventScroll: true });
  }

  #begin() {
    if (!this.#settings.isReady) {
      notice("The server has not said yet which models there are.");
      return;
    }
    uploads.add(tray.take(), this.#settings.settings);
  }
}

/** @param {File} file */
function fileRow(file) {
  const facts = h("span", { class: "hint" }, size(file.size));
  const url = URL.createObjectURL(file);
  const sound = h("audio", { src: url, preload: "metadata" });
  sound.addEventListener("loadedmetadata", () => {
    if (Number.isFinite(sound.duration)) facts.textContent = `${clock(sound.duration)}, ${size(file.size)}`;
  });
  const listen = iconButton("play", `Listen to ${file.name}`, () => (sound.paused ? void sound.play().catch(() => notice("This browser cannot play this file; the server may still be able to read it.")) : sound.pause()), { bare: true });
  for (const name of ["play", "pause"]) sound.addEventListener(name, () => listen.replaceChildren(icon(sound.paused ? "play" : "pause")));
  const leave = () => {
    sound.pause();
    sound.removeAttribute("src");
    URL.revokeObjectURL(url);
    tray.remove(file);
  };
  return h("li", {}, listen, h("span", { class: "file-name" }, file.name), facts, iconButton("close", `Leave out ${file.name}`, leave, { bare: true }));
}

customElements.define("new-transcript", NewTranscript);
