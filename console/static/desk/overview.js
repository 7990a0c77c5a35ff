// The supervisor's overview: what is open and late, how quickly alerts are taken, where false ones come from, how busy it is.

import { get } from "../lib/api.js";
import { age, clockTime, length, now } from "../lib/clock.js";
import { el, fill } from "../lib/dom.js";
import { t, word } from "../lib/words.js";
import { bars, line } from "./chart.js";

const AGAIN_MS = 30_000;
const DAYS = [1, 7, 30];
let days = 7;

export async function overviewPage(box, store) {
  const wide = el("div", { class: "wide" });
  fill(box, wide);

  async function draw() {
    const found = await get(`/overview?days=${days}`);
    const open = [...store.alerts.values()].filter((alert) => alert.state === "open");
    const late = [...store.tasks.values()].filter((task) => ["open", "received", "accepted"].includes(task.state) && task.due_at && Date.parse(task.due_at) < now());
    const silent = [...store.people.values()].filter((person) => person.silent);
    const s = (value) => (value === null || value === undefined ? "–" : length(value));
    const tile = (key, value) => el("div", { class: "panel tile" }, el("strong", {}, value), el("span", { class: "soft" }, t(`overview.${key}`)));
    const precision = (rows, name) => rows.map((row) => {
      const none = Math.max(0, row.alerts - row.true_alarms - row.false_alarms);
      return {
        name: name(row.name),
        value: row.alerts,
        text: t("overview.of", { n: row.false_alarms, all: row.alerts }),
        parts: [{ kind: "bad", value: row.false_alarms }, { kind: "good", value: row.true_alarms }, { kind: "none", value: none }],
      };
    });
    fill(
      wide,
      el("div", { class: "page-head" }, el("h1", {}, t("nav.overview")),
        el("div", { class: "choice-bar", role: "group", "aria-label": t("overview.span") }, DAYS.map((n) =>
          el("button", { "aria-pressed": String(n === days), on: { click: () => ((days = n), again()) } }, t("overview.days", { n }))))),
      el("div", { class: "tiles" },
        tile("open", open.length),
        tile("overdue", late.length),
        tile("silent", silent.length),
        tile("ack_median", s(found.acknowledge_s?.median)),
        tile("ack_p90", s(found.acknowledge_s?.p90)),
        tile("people", store.people.size)),
      el("p", { class: "legend-line small" }, el("span", { class: "swatch wrong" }, t("overview.false")), el("span", { class: "swatch right" }, t("overview.true")), el("span", { class: "swatch none" }, t("overview.unknown"))),
      el("div", { class: "charts" },
        panel(bars(t("overview.by_rule"), precision(found.by_rule ?? [], (name) => word(`rule.${name}`, name)))),
        panel(bars(t("overview.by_fence"), precision(found.by_fence ?? [], (name) => store.fences.get(name)?.properties.name || name))),
        panel(bars(t("overview.by_device"), precision(found.by_device ?? [], (name) => name))),
        panel(bars(t("overview.tasks"), store.session.agencies.map((agency) => {
          const mine = [...store.tasks.values()].filter((task) => task.agency === agency && ["open", "received", "accepted"].includes(task.state));
          const overdue = mine.filter((task) => late.includes(task)).length;
          return { name: word(`agency.${agency}`, agency), value: mine.length, text: t("overview.late_of", { n: overdue, all: mine.length }), parts: [{ kind: "bad", value: overdue }, { kind: "plain", value: mine.length - overdue }] };
        }))),
        panel(line(t("overview.load"), found.load ?? [], { label: (at) => clockTime(at) })),
        panel(el("figure", { class: "figure" }, el("figcaption", {}, el("h2", {}, t("overview.silent_list"))),
          silent.length ? el("table", { class: "rows" }, el("tbody", {}, silent.slice(0, 30).map((person) =>
            el("tr", {}, el("td", {}, el("a", { href: `#/person/${encodeURIComponent(person.subject_id)}` }, person.subject_id)), el("td", {}, person.fix_time ? t("card.ago", { time: age(person.fix_time) }) : "–"))))) : el("p", { class: "soft" }, t("overview.nothing"))))),
    );
  }
  const panel = (node) => el("section", { class: "panel" }, node);
  const again = () => draw().catch(() => {});
  await draw();
  const ticking = setInterval(() => wide.contains(document.activeElement) || again(), AGAIN_MS);
  return { close: () => clearInterval(ticking) };
}
