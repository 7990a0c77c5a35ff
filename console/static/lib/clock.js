// Times for people: ages, moments in a person's time zone, lengths.

import { language, t } from "./words.js";

let ahead_ms = 0;

/** Remember how far the server's clock is ahead of this one, from the Date of an answer. */
export function heard(date) {
  const server = Date.parse(date ?? "");
  if (Number.isFinite(server)) ahead_ms = server - Date.now();
}

/** Now by the server's clock, in ms: a desk with a wrong clock must not show wrong ages. A second of doubt is left out. */
export function now() {
  return Math.abs(ahead_ms) > 1500 ? Date.now() + ahead_ms : Date.now();
}

/** "12 s", "4 min", "3 h 20 min", "2 d": how long ago `moment` was, or how long a time of `s` seconds is. */
export function age(moment) {
  return moment ? length((now() - Date.parse(moment)) / 1000) : "";
}

/** How long it is until `moment`. */
export function until(moment) {
  return moment ? length((Date.parse(moment) - now()) / 1000) : "";
}

export function length(s) {
  const seconds = Math.max(0, Math.round(s));
  if (seconds < 60) return t("time.s", { n: seconds });
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return t("time.min", { n: minutes });
  const hours = Math.floor(minutes / 60);
  if (hours < 24) return t("time.h", { n: hours, m: minutes % 60 });
  return t("time.d", { n: Math.floor(hours / 24), h: hours % 24 });
}

const formats = new Map();

function format(zone, options) {
  const key = `${language()}|${zone}|${JSON.stringify(options)}`;
  if (!formats.has(key))
    formats.set(key, new Intl.DateTimeFormat(language(), { timeZone: zone || undefined, hourCycle: "h23", ...options }));
  return formats.get(key);
}

/** "23 Nov, 21:04:05" */
export function stamp(moment, zone) {
  if (!moment) return "–";
  return format(zone, { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit", second: "2-digit" }).format(
    new Date(moment),
  );
}

/** "21:04", with the day where it is not today. */
export function clockTime(moment, zone) {
  if (!moment) return "–";
  const at = new Date(moment);
  const day = format(zone, { year: "numeric", month: "numeric", day: "numeric" });
  const same = day.format(at) === day.format(new Date(now()));
  return format(zone, {
    hour: "2-digit",
    minute: "2-digit",
    ...(same ? {} : { day: "numeric", month: "short" }),
  }).format(at);
}

/** "23 November 2026" */
export function day(moment, zone) {
  return moment ? format(zone, { day: "numeric", month: "long", year: "numeric" }).format(new Date(moment)) : "–";
}
