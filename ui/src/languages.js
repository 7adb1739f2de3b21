// The languages that Whisper's models know; their names come from the browser.

const CODES =
  "en zh de es ru ko fr ja pt tr pl ca nl ar sv it id hi fi vi he uk el ms cs ro da hu ta no th ur hr bg lt la mi ml cy sk te fa lv bn sr " +
  "az sl kn et mk br eu is hy ne mn bs kk sq sw gl mr pa si km sn yo so af oc ka be tg sd gu am yi lo uz fo ht ps tk nn mt sa lb my bo tl " +
  "mg as tt haw ln ha ba jw su yue";

const names = new Intl.DisplayNames("en", { type: "language", fallback: "none" });

/** The name of a code; what is not a code stays as it is, with a capital. @param {string} code */
export function languageName(code) {
  try {
    const name = names.of(code === "jw" ? "jv" : code === "tl" ? "fil" : code);
    if (name) return name;
  } catch {
    // Not a code, so perhaps a name.
  }
  return code.charAt(0).toUpperCase() + code.slice(1);
}

/** @returns {{code: string, name: string}[]} by name */
export function languages() {
  return CODES.split(" ")
    .map((code) => ({ code, name: languageName(code) }))
    .sort((one, other) => one.name.localeCompare(other.name, "en"));
}
