// Light, dark, or as the system has it.

import { iconButton, icon } from "./element.js";
import { recall, remember } from "./storage.js";

const THEMES = ["system", "light", "dark"];

export function themeSwitch() {
  let theme = String(recall("theme") ?? "system");
  const button = iconButton("system", "Colours", () => set(THEMES[(THEMES.indexOf(theme) + 1) % THEMES.length]), { bare: true });
  const set = (/** @type {string} */ chosen) => {
    theme = THEMES.includes(chosen) ? chosen : "system";
    if (theme === "system") delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = theme;
    remember("theme", theme === "system" ? null : theme);
    button.replaceChildren(icon(theme));
    button.title = `Colours: ${theme === "system" ? "as the system has them" : theme}`;
    button.setAttribute("aria-label", button.title);
  };
  set(theme);
  return button;
}
