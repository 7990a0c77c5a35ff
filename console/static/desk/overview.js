// The supervisor's overview: what is open and late, how quickly alerts are taken, where false ones come from, how busy it is.

import { get } from "../lib/api.js";
import { age, length } from "../lib/clock.js";
import { el, fill } from "../lib/dom.js";
import { t, word } from "../lib/words.js";
import { bars } from "./chart.js";

const AGAIN_MS = 30_000;
const DAYS = [1, 7, 30];
const ROWS_MOST = 15;
const SILENT_MOST = 30;
let days = 7;

export async function overviewPage(box, store) {
  const wide = el("div", { class: "wide" });
  fill(box, wide);

  const tile = (key, value, urgent = false) => el("div", { class: "panel tile" }, el("strong", { class: urgent ? "bad" : "" }, value), el("span", { class: "soft" }, t(`overview.${key}`)));
  const panel = (node) => el("section", { class: "panel" }, node);
  const seconds = (value) => (value === null || value === undefined ? "–" : length(value));

  /** Bars of right, wrong and unknown outcomes, those with most wrong first. */
  function precision(found, of, name) {
    const rows = (found.precision ?? []).filter((row) => row.of === of).sort((a, b) => b.wrong - a.wrong || b.right + (b.unresolved ?? 0) - a.right - (a.unresolved ?? 0));
    return rows.slice(0, ROWS_MOST).map((row) => ({
      name: name(row.name),
      value: row.right + row.wrong + (row.unresolved ?? 0),
      text: t("overview.of", { n: row.wrong, all: row.right + row.wrong + (row.unresolved ?? 0) }),
      parts: [{ kind: "bad", value: row.wrong }, { kind: "good", value: row.right }, { kind: "none", value: (row.unresolved ?? 0) }],
    }));
  }

  function silent(rows) {
    const table = el("table", { class: "rows" }, el("tbody", {}, rows.slice(0, SILENT_MOST).map((one) =>
      el("tr", {}, el("td", {}, one.subject_id ? el("a", { href: `#/person/${encodeURIComponent(one.subject_id)}` }, one.subject_id) : "–"), el("td", {}, one.device_id), el("td", { class: "nowrap" }, t("card.ago", { time: age(one.since) }))))));
    return el("figure", { class: "figure" }, el("figcaption", {}, el("h2", {}, t("overview.silent_list"))), rows.length ? table : el("p", { class: "soft" }, t("overview.nothing")));
  }

  async function draw() {
    const found = await get(`/overview?days=${days}`);
    const taken = found.acknowledged ?? {};
    const people = found.people ?? {};
    const histogram = taken.histogram ?? [];
    const label = (up_to_s, i) => (up_to_s === null ? t("overview.longer", { time: length(histogram[i - 1]?.[0] ?? 0) }) : t("overview.within", { time: length(up_to_s) }));
    fill(
      wide,
      el("div", { class: "page-head" }, el("h1", {}, t("nav.overview")),
        el("div", { class: "choice-bar", role: "group", "aria-label": t("overview.span") }, DAYS.map((n) =>
          el("button", { "aria-pressed": String(n === days), on: { click: () => ((days = n), again()) } }, t("overview.days", { n })))),
        el("a", { class: "button", href: `/api/v1/overview.csv?days=${days}`, download: `overview-${days}d.csv` }, t("overview.csv"))),
      el("div", { class: "tiles" },
        tile("open", found.alerts.unacknowledged),
        tile("in_hand", found.alerts.open - found.alerts.unacknowledged),
        tile("alerts_overdue", found.alerts.overdue, found.alerts.overdue > 0),
        tile("tasks_open", found.tasks.open),
        tile("overdue", found.tasks.overdue, found.tasks.overdue > 0),
        tile("silent", found.silent.length),
        tile("ack_median", seconds(taken.median_s)),
        tile("ack_p90", seconds(taken.p90_s))),
      el("p", { class: "legend-line small" }, el("span", { class: "swatch wrong" }, t("overview.false")), el("span", { class: "swatch right" }, t("overview.true")), el("span", { class: "swatch none" }, t("overview.unknown"))),
      el("div", { class: "charts" },
        panel(bars(t("overview.by_rule"), precision(found, "rule", (name) => word(`rule.${name}`, name)))),
        panel(bars(t("overview.by_fence"), precision(found, "fence", (name) => store.fences.get(name)?.properties.name || name))),
        panel(bars(t("overview.by_device"), precision(found, "device", (name) => name))),
        panel(bars(t("overview.ack_histogram"), histogram.map(([up_to_s, count], i) => ({ name: label(up_to_s, i), value: count })))),
        panel(bars(t("overview.by_day"), (found.by_day ?? []).map((one) => ({ name: one.day, value: one.raised, text: t("overview.day_text", one) })))),
        panel(bars(t("overview.load"), (found.load ?? []).slice(0, ROWS_MOST).map((one) => ({ name: one.principal, value: one.alerts + one.tasks, text: t("overview.load_text", one) })))),
        panel(bars(t("overview.people"), ["red", "yellow", "green"].map((colour) => ({ name: t(`code.${colour}`), value: people[colour] ?? 0, kind: { red: "bad", yellow: "mild", green: "good" }[colour] })))),
        panel(silent(found.silent))),
    );
  }
  const again = () => draw().catch(() => {});
  await draw();
  const ticking = setInterval(() => wide.contains(document.activeElement) || again(), AGAIN_MS);
  return { close: () => clearInterval(ticking) };
}
