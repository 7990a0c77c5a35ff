// What is said, in the language of whoever looks; changed at run time without loading the page anew.

import { en } from "../text/en.js";
import { zh } from "../text/zh-CN.js";

const TEXTS = { en, "zh-CN": zh };
export const LANGUAGES = Object.keys(TEXTS);
const changed = new Set();
let current = choice();

function choice() {
  const kept = localStorage.getItem("language");
  if (kept in TEXTS) return kept;
  return navigator.languages?.some((one) => one.toLowerCase().startsWith("zh")) ? "zh-CN" : "en";
}

export const language = () => current;

/** Speak `name` from now on; whoever asked by `onLanguage` is told, to draw itself anew. */
export function speak(name) {
  if (!(name in TEXTS)) return;
  current = name;
  localStorage.setItem("language", name);
  document.documentElement.lang = name;
  for (const tell of [...changed]) tell(name);
}

/** Call `listener` when the language changes. Returns: a function that ends it. */
export function onLanguage(listener) {
  changed.add(listener);
  return () => changed.delete(listener);
}

/** The text of `key` with `{name}` replaced by `values.name`. A key without text is shown as it is. */
export function t(key, values = {}) {
  const text = TEXTS[current][key] ?? TEXTS.en[key] ?? key;
  return text.replace(/\{(\w+)\}/g, (whole, name) => (name in values ? String(values[name]) : whole));
}

/** The text of `key` if there is one, else `otherwise`: for words that an installation may add to. */
export function word(key, otherwise) {
  return TEXTS[current][key] ?? TEXTS.en[key] ?? otherwise;
}

document.documentElement.lang = current;
