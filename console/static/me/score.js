// The score and why; contesting a deduction.

import { stamp } from "../lib/clock.js";
import { el } from "../lib/dom.js";
import { question, say } from "../lib/notices.js";
import { language, t } from "../lib/words.js";

export function scoreTab(me) {
  const { score, account = [], entries = [] } = me.state;
  const byId = new Map(entries.map((entry) => [entry.entry_id, entry]));
  const contested = new Set(me.outbox.waiting.map((letter) => letter.command.entry_id));
  return el("div", { class: "stack" },
    el("section", { class: "panel" },
      score
        ? el("div", { class: "score" }, el("span", { class: "number" }, score.points), el("div", {}, el("span", { class: `code ${score.colour}` }, t(`code.${score.colour}`)), el("div", { class: "soft" }, t("score.of_100"))))
        : el("p", {}, t("score.none")),
      score?.provisional ? el("p", { class: "soft" }, t("score.provisional", { n: score.points_if_confirmed })) : null,
      el("p", { class: "soft small" }, t("score.no_machine"))),
    el("section", { class: "panel" }, el("h2", {}, t("score.why")),
      account.length
        ? el("ol", { class: "story" }, [...account].reverse().map((line) => {
            const entry = byId.get(line.entry_id);
            const may = entry && entry.kind === "deduction" && ["provisional", "confirmed"].includes(entry.state) && !contested.has(line.entry_id);
            return el("li", {},
              el("span", { class: `points ${line.effect < 0 ? "bad" : ""}` }, line.effect > 0 ? `+${line.effect}` : line.effect),
              el("p", {}, language() === "zh-CN" ? line.zh : line.en),
              el("p", { class: "soft small" }, stamp(line.occurred_at), entry && ` · ${t(`entry.${entry.state}`)}`),
              may && el("button", { on: { click: () => contest(me, line) } }, t("score.contest")));
          }))
        : el("p", { class: "soft" }, t("score.nothing"))));
}

async function contest(me, line) {
  await question({
    title: t("score.contest"),
    body: [el("p", {}, language() === "zh-CN" ? line.zh : line.en), el("p", { class: "soft" }, t("score.contest_about")), el("label", {}, t("act.reason"), el("textarea", { name: "reason", required: true, maxlength: 2000, rows: 4 }))],
    main: t("do.send"),
    send: async ({ reason }) => {
      await me.outbox.put({ kind: "score.contest", subject_id: me.session.principal, entry_id: line.entry_id, reason }, t("score.contest"));
      say(t(me.outbox.waiting.length ? "outbox.kept" : "outbox.sent"));
    },
  });
}
