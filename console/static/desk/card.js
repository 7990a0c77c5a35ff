// A person's card: what is so now, why the score is what it is, what happened, and the replay of where they were.

import { at, get, newId } from "../lib/api.js";
import { age, clockTime, day, stamp } from "../lib/clock.js";
import { el, fill } from "../lib/dom.js";
import { question, say } from "../lib/notices.js";
import { language, t, word } from "../lib/words.js";
import { replay } from "./replay.js";

const said = (texts) => (language() === "zh-CN" ? texts.zh : texts.en);

export async function cardPage(box, store, subject_id) {
  const person = await get(at`/people/${subject_id}`);
  const wide = el("div", { class: "wide" });
  const map = el("section", { class: "panel stack", "aria-label": t("card.replay") });
  const reason = el("div", { role: "region", "aria-live": "polite", "aria-label": t("card.why") });
  const left = el("div", {});
  fill(box, wide);

  const again = async () => {
    Object.assign(person, await get(at`/people/${subject_id}`));
    draw();
  };
  const order = (title, text, body, command) => async () => {
    const command_id = newId();
    const sent = await question({
      title,
      body: [el("p", {}, text), body],
      main: t("do.send"),
      send: (values) => store.send(subject_id, { ...command, ...values, command_id }),
    });
    if (sent) await again().catch((error) => say(error.message, { bad: true }));
  };
  const why = () => el("label", {}, t("act.reason"), el("textarea", { name: "reason", required: true, maxlength: 2000 }));

  function entryButtons(entry, line) {
    const id = { entry_id: entry.entry_id };
    const button = (kind, values, needs) =>
      store.may(kind) && el("button", { on: { click: order(t(`${kind}.title`), said(line), needs && why(), { kind, ...id, ...values }) } }, t(`${kind}${values.decision ? `.${values.decision}` : ""}`));
    if (entry.kind === "restoration") return null;
    const found = [];
    if (entry.state === "provisional") found.push(button("score.confirm", {}, false));
    if (["provisional", "confirmed"].includes(entry.state)) found.push(button("score.reverse", {}, true));
    if (entry.state === "appealed") found.push(button("score.decide", { decision: "uphold" }, true), button("score.decide", { decision: "reverse" }, true));
    return el("div", { class: "line-buttons" }, found);
  }

  function story() {
    const lines = person.account ?? [];
    const entries = new Map((person.entries ?? []).map((entry) => [entry.entry_id, entry]));
    if (!lines.length) return el("p", { class: "soft" }, t("card.no_entries"));
    return el(
      "ol",
      { class: "story" },
      [...lines].reverse().map((line) => {
        const entry = entries.get(line.entry_id);
        return el(
          "li",
          {},
          el("span", { class: `points ${line.effect < 0 ? "bad" : line.effect > 0 ? "good" : "soft"}` }, line.effect > 0 ? `+${line.effect}` : line.effect),
          el("div", {}, el("p", {}, said(line)), el("p", { class: "small soft" }, stamp(line.occurred_at), entry && ` · ${t(`entry.${entry.state}`)}`), entry && entryButtons(entry, line)),
        );
      }),
    );
  }

  function facts(rows) {
    return el("dl", { class: "facts" }, rows.filter(([, value]) => value !== null && value !== undefined && value !== "").map(([name, value]) => [el("dt", {}, name), el("dd", {}, value)]));
  }

  function draw() {
    const { subject = {}, score, activation, device = {} } = person;
    const now = store.people.get(subject_id) ?? {};
    const alerts = [...store.alerts.values()].filter((alert) => alert.subject_id === subject_id);
    fill(
      left,
      el(
        "section",
        { class: "panel stack" },
        el("div", { class: "score-head" },
          score && el("span", { class: "score-number" }, score.points),
          score && el("span", { class: `code ${score.colour}` }, t(`code.${score.colour}`)),
          score && score.points_if_confirmed !== score.points && el("span", { class: "soft small" }, t("card.if_confirmed", { n: score.points_if_confirmed }))),
        facts([
          [t("card.case"), subject.case_ref],
          [t("card.agency"), word(`agency.${subject.agency}`, subject.agency)],
          [t("card.stage"), word(`stage.${subject.stage}`, subject.stage)],
          [t("card.order"), activation && `${activation.order_id}${activation.legal_basis ? ` (${activation.legal_basis})` : ""}`],
          [t("card.order_ends"), activation?.ends_at ? `${day(activation.ends_at)} · ${t("card.in", { time: age_until(activation.ends_at) })}` : activation && t("card.no_end")],
          [t("card.device"), activation?.device_id],
          [t("card.heard"), now.fix_time ? `${t("card.ago", { time: age(now.fix_time) })}${now.silent ? ` · ${t("map.silent")}` : ""}` : null],
          [t("card.battery"), device.battery_pct === undefined || device.battery_pct === null ? null : `${Math.round(device.battery_pct)} %`],
        ]),
      ),
      alerts.length > 0 && el("section", { class: "panel" }, el("h2", {}, t("card.alerts")), el("ul", {}, alerts.map((alert) =>
        el("li", {}, el("span", { class: `severity ${alert.severity}` }, t(`severity.${alert.severity}`)), ` ${store.sentence(alert)}`)))),
      el("section", { class: "panel" }, el("h2", {}, t("card.story")), story()),
      leaves(),
      tasks(),
    );
  }

  function leaves() {
    const rows = person.leaves ?? [];
    if (!rows.length) return null;
    return el("section", { class: "panel" }, el("h2", {}, t("card.leaves")), el("ul", { class: "stack" }, rows.map((leave) =>
      el("li", {},
        `${stamp(leave.starts_at)} – ${stamp(leave.ends_at)} · `, el("strong", {}, t(`leave.${leave.state}`)),
        leave.reason && el("p", { class: "soft" }, leave.reason),
        leave.state === "asked" && store.may("leave.decide") && el("div", { class: "line-buttons" }, ["approve", "refuse"].map((decision) =>
          el("button", { on: { click: order(t("leave.decide.title"), `${stamp(leave.starts_at)} – ${stamp(leave.ends_at)}`, why(), { kind: "leave.decide", leave_id: leave.leave_id, decision }) } }, t(`leave.decide.${decision}`))))))));
  }

  function tasks() {
    const rows = person.tasks ?? [];
    if (!rows.length) return null;
    return el("section", { class: "panel" }, el("h2", {}, t("card.tasks")), el("table", { class: "rows" }, el("tbody", {}, rows.map((task) =>
      el("tr", {}, el("td", {}, task.title || word(`task.${task.kind}`, task.kind)), el("td", {}, word(`agency.${task.agency}`, task.agency)), el("td", {}, t(`taskstate.${task.state}`)), el("td", { class: "nowrap" }, task.due_at ? clockTime(task.due_at) : ""))))));
  }

  const player = replay(map, store, subject_id, person.fences ?? []);
  const timeline = el("ol", { class: "timeline" });
  const look = (incident, row) => {
    for (const one of timeline.children) one.classList.toggle("chosen", one === row);
    fill(reason, el("section", { class: "panel stack" }, el("h2", {}, t("card.why")), el("p", {}, incident.sentence[language()])));
    map.scrollIntoView({ block: "nearest" });
    player.show(incident);
  };
  const drawTimeline = () =>
    fill(timeline, (person.incidents ?? []).map((incident) => {
      const row = el("li", {}, el("time", { class: "soft", datetime: incident.occurred_at }, stamp(incident.occurred_at)),
        el("button", { on: { click: () => look(incident, row) } }, incident.sentence?.[language()] ?? word(`incident.${incident.type}`, incident.type)));
      return row;
    }));
  drawTimeline();

  fill(
    wide,
    el("div", { class: "page-head" }, el("a", { class: "button", href: "#/desk" }, t("do.back")), el("h1", {}, person.subject?.name || subject_id), el("span", { class: "small soft" }, t("card.audited"))),
    el("div", { class: "columns" }, left,
      el("div", {}, map, reason, el("section", { class: "panel" }, el("h2", {}, t("card.timeline")), (person.incidents ?? []).length ? timeline : el("p", { class: "soft" }, t("card.nothing_happened"))))),
  );
  draw();
  return { close: () => player.close() };
}

const age_until = (moment) => age(new Date(2 * Date.now() - Date.parse(moment)).toISOString());
