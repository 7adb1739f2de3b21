// Not a module: it runs before anything is drawn, so that a chosen theme does not flash.
(() => {
  try {
    const theme = JSON.parse(localStorage.getItem("amanuensis.theme") ?? "null");
    if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
  } catch {
    // Storage may be forbidden; then it is the system's theme.
  }
})();
