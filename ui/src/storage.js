// What is kept in the browser. Storage may be forbidden or full: then things are only not remembered.

/**
 * @param {string} name
 * @returns {unknown} null if there is nothing
 */
export function recall(name) {
  try {
    return JSON.parse(localStorage.getItem(`amanuensis.${name}`) ?? "null");
  } catch {
    return null;
  }
}

/**
 * @param {string} name
 * @param {unknown} value null forgets it
 * @returns {boolean} whether it is kept
 */
export function remember(name, value) {
  try {
    if (value === null) localStorage.removeItem(`amanuensis.${name}`);
    else localStorage.setItem(`amanuensis.${name}`, JSON.stringify(value));
    return true;
  } catch {
    return false;
  }
}

/** Forgets everything that belongs to a job. @param {string} id */
export function forgetJob(id) {
  remember(`edits.${id}`, null);
  remember(`peaks.${id}`, null);
}
