// The score and why; contesting a deduction.

import { at } from "../lib/api.js";
import { stamp } from "../lib/clock.js";
import { el } from "../lib/dom.js";
import { question, say } from "../lib/notices.js";
import { language, t } from "../lib/words.js";

export function scoreTab(me) {
  const { score, lines = [] } = me.said.score;
  const contested = new Set(me.outbox.waiting.map((letter) => letter.about_id));
  const said = (line) => line[language()] ?? line.en;
  const row = (line) => {
    const entry = line.entry;
    const may = entry?.kind === "deduction" && ["provisional", "confirmed"].includes(entry.state) && !contested.has(line.entry_id);
    return el("li", {},
      el("span", { class: `points ${line.effect < 0 ? "bad" : ""}` }, line.effect > 0 ? `+${line.effect}` : line.effect),
      el("p", {}, said(line)),
      el("p", { class: "soft small" }, stamp(line.occurred_at), entry && ` · ${t(`entry.${entry.state}`)}`),
      may && el("button", { on: { click: () => contest(me, line, said(line)) } }, t("score.contest")));
  };
  return el("div", { class: "stack" },
    el("section", { class: "panel" },
      el("h1", { class: "unseen" }, t("me.score")),
      score
        ? el("div", { class: "score" }, el("span", { class: "number" }, score.points), el("div", {}, el("span", { class: `code ${score.colour}` }, t(`code.${score.colour}`)), el("div", { class: "soft" }, t("score.of_100"))))
        : el("p", {}, t("score.none")),
      score?.provisional ? el("p", { class: "soft" }, t("score.provisional", { n: score.points_if_confirmed })) : null,
      el("p", { class: "soft small" }, t("score.no_machine"))),
    el("section", { class: "panel" }, el("h2", {}, t("score.why")),
      lines.length ? el("ol", { class: "story" }, [...lines].reverse().map(row)) : el("p", { class: "soft" }, t("score.nothing"))));
}

async function contest(me, line, said) {
  await question({
    title: t("score.contest"),
    body: [el("p", {}, said), el("p", { class: "soft" }, t("score.contest_about")), el("label", {}, t("act.reason"), el("textarea", { name: "reason", required: true, maxlength: 2000, rows: 4, autofocus: true }))],
    main: t("do.send"),
    send: async ({ reason }) => {
      await me.outbox.put(at`/my/entries/${line.entry_id}/contest`, { reason }, t("score.contest"), line.entry_id);
      say(t(me.outbox.waiting.length ? "outbox.kept" : "outbox.sent"));
    },
  });
}
