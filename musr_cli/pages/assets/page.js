"use strict";
/* What both pages share: the data, elements, themes, announcements. */
const data = JSON.parse(document.getElementById("data").textContent);

/** An element with attributes and children; a child that is a string becomes text, never markup. */
function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value === true) element.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined) element.setAttribute(name, value);
  }
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

const find = (id) => document.getElementById(id);

function announce(text) {
  find("announce").textContent = text;
}

/** 75.2 → "1:15.2" */
function clock(seconds) {
  const rest = (seconds % 60).toFixed(1).padStart(4, "0");
  return `${Math.floor(seconds / 60)}:${rest}`;
}

/** Storage that may be refused (private windows, files in some browsers): then nothing is remembered. */
const memory = {
  read(key) {
    try { return localStorage.getItem(key); } catch { return null; }
  },
  write(key, value) {
    try { localStorage.setItem(key, value); return true; } catch { return false; }
  },
};

const THEMES = { system: "as the system", light: "light", dark: "dark" };

function applyTheme(theme) {
  if (theme === "system") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme;
  find("theme").setAttribute("aria-label", `Colours: ${THEMES[theme]}`);
  find("theme").title = `Colours: ${THEMES[theme]}`;
  document.dispatchEvent(new Event("themechange"));
}

{
  const names = Object.keys(THEMES);
  let theme = memory.read("musr-theme") in THEMES ? memory.read("musr-theme") : "system";
  find("theme").addEventListener("click", () => {
    theme = names[(names.indexOf(theme) + 1) % names.length];
    memory.write("musr-theme", theme);
    applyTheme(theme);
    announce(`Colours: ${THEMES[theme]}`);
  });
  applyTheme(theme);
}

/** Whether a key press belongs to a field that someone types into. */
function isTyping(event) {
  return event.ctrlKey || event.metaKey || event.altKey
    || event.target.matches("input:not([type=range]):not([type=radio]):not([type=checkbox]), textarea, select");
}
