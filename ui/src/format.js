// Numbers as people read them.

/** 0:07, 12:05, 1:02:03. @param {number} seconds */
export function clock(seconds) {
  const whole = Math.max(0, Math.floor(Number.isFinite(seconds) ? seconds : 0));
  const two = (/** @type {number} */ number) => String(number).padStart(2, "0");
  const [hours, minutes] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60];
  return hours > 0 ? `${hours}:${two(minutes)}:${two(whole % 60)}` : `${minutes}:${two(whole % 60)}`;
}

/** The same for ears: "1 hour 2 minutes 3 seconds". @param {number} seconds */
export function spoken(seconds) {
  const whole = Math.max(0, Math.round(Number.isFinite(seconds) ? seconds : 0));
  const parts = [
    [Math.floor(whole / 3600), "hour"],
    [Math.floor(whole / 60) % 60, "minute"],
    [whole % 60, "second"],
  ].filter(([count]) => /** @type {number} */ (count) > 0);
  return parts.map(([count, unit]) => `${count} ${unit}${count === 1 ? "" : "s"}`).join(" ") || "0 seconds";
}

/** About how long, for what is only estimated. @param {number} seconds */
export function roughly(seconds) {
  if (seconds < 60) return count(Math.max(1, Math.round(seconds)), "second");
  if (seconds < 3600) return count(Math.round(seconds / 60), "minute");
  return `${count(Math.floor(seconds / 3600), "hour")} ${Math.round((seconds % 3600) / 60)} minutes`;
}

/** @param {number} number @param {string} unit */
export function count(number, unit) {
  return `${number.toLocaleString("en")} ${unit}${number === 1 ? "" : "s"}`;
}

/** @param {number} bytes */
export function size(bytes) {
  const units = ["bytes", "kB", "MB", "GB"];
  let power = 0;
  while (bytes >= 1000 && power < 3) {
    bytes /= 1000;
    power += 1;
  }
  return `${power === 0 ? bytes : bytes.toPrecision(bytes >= 100 ? 3 : 2)} ${units[power]}`;
}

const relative = new Intl.RelativeTimeFormat("en", { numeric: "auto" });

/** "5 minutes ago". @param {number} unix seconds since 1970 */
export function ago(unix) {
  const seconds = unix - Date.now() / 1000;
  if (seconds > -45 && seconds < 45) return "just now";
  /** @type {[Intl.RelativeTimeFormatUnit, number][]} */
  const units = [["day", 86400], ["hour", 3600], ["minute", 60]];
  for (const [unit, length] of units) {
    if (Math.abs(seconds) >= length * 0.95) return relative.format(Math.round(seconds / length), unit);
  }
  return relative.format(Math.round(seconds / 60), "minute");
}

/** @param {number} unix */
export function moment(unix) {
  return new Date(unix * 1000).toLocaleString("en-GB", { dateStyle: "medium", timeStyle: "short" });
}

/** A file's name without what stands behind its last dot. @param {string} name */
export function stem(name) {
  return name.replace(/\.[^.]{1,5}$/, "") || name;
}
