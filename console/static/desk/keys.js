// The desk's keys, and the sheet that lists them.

import { el } from "../lib/dom.js";
import { t } from "../lib/words.js";
import { KEY_OF } from "./alertacts.js";

const KEYS = [
  ["j", "↓", "keys.next"],
  ["k", "↑", "keys.before"],
  ["a", "", "alert.take"],
  ["r", "", "alert.resolve"],
  ["1 – 8", "", "keys.outcome"],
  ["h", "", "alert.pass_on"],
  ["t", "", "alert.task"],
  ["e", "", "alert.escalate"],
  ["p", "Enter", "alert.person"],
  ["/", "", "keys.find"],
  ["g d", "", "nav.desk"],
  ["g f", "", "nav.fences"],
  ["g t", "", "nav.tasks"],
  ["g o", "", "nav.overview"],
  ["+ −", "← ↑ → ↓", "keys.map"],
  ["?", "", "keys.help"],
];
const ACTS = { ...Object.fromEntries(Object.entries(KEY_OF).map(([what, key]) => [key, what])), Enter: "person" };
const GO = { d: "desk", f: "fences", t: "tasks", o: "overview" };
const SECOND_KEY_MS = 1200;

/** Follow the keys. `page()` is the page that is shown; it may have `queue` and `act(what)` and `find()`. */
export function listenToKeys(page) {
  let led_ms = 0;
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
    if (document.querySelector("dialog[open]") || event.target.closest?.("input, select, textarea, [contenteditable]")) return;
    const { key } = event;
    const { queue, act, find } = page();
    if (led_ms && performance.now() - led_ms < SECOND_KEY_MS && key in GO) window.location.hash = `#/${GO[key]}`;
    else if (key === "?") help();
    else if (key === "/" && find) find();
    else if (queue && (key === "j" || key === "ArrowDown")) queue.step(1);
    else if (queue && (key === "k" || key === "ArrowUp")) queue.step(-1);
    else if (act && queue?.alert && key in ACTS && !(key === "Enter" && event.target.closest?.("button, a"))) act(ACTS[key], queue.alert);
    else {
      led_ms = key === "g" ? performance.now() : 0;
      return;
    }
    led_ms = 0;
    event.preventDefault();
  });
}

export function help() {
  const dialog = el(
    "dialog",
    { "aria-labelledby": "keys-title", on: { close: () => dialog.remove() } },
    el("div", { class: "stack" },
      el("h2", { id: "keys-title" }, t("keys.title")),
      el("table", { class: "keys-table" }, el("tbody", {}, KEYS.map(([key, also, text]) =>
        el("tr", {}, el("th", { scope: "row" }, el("kbd", {}, key), also && [" ", el("kbd", {}, also)]), el("td", {}, t(text)))))),
      el("div", { class: "buttons" }, el("button", { class: "main", autofocus: true, on: { click: () => dialog.close() } }, t("do.close")))),
  );
  document.body.append(dialog);
  dialog.showModal();
}
