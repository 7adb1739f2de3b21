// The files that were chosen and not yet sent. They outlive the view that shows them.

class Tray extends EventTarget {
  /** @type {File[]} */
  files = [];

  /** @param {Iterable<File>} files */
  add(files) {
    this.files = [...this.files, ...files];
    this.dispatchEvent(new Event("change"));
  }

  /** @param {File} file */
  remove(file) {
    this.files = this.files.filter((other) => other !== file);
    this.dispatchEvent(new Event("change"));
  }

  /** All of them; the tray is empty then. */
  take() {
    const files = this.files;
    this.files = [];
    this.dispatchEvent(new Event("change"));
    return files;
  }
}

export const tray = new Tray();
