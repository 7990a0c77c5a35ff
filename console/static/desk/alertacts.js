// What an officer does with an alert: one command each, asked where words are needed, told what became of it.

import { newId } from "../lib/api.js";
import { el } from "../lib/dom.js";
import { question, say } from "../lib/notices.js";
import { t, word } from "../lib/words.js";

export const OUTCOMES = ["true_breach", "authorised", "false_alarm_gps", "false_alarm_device", "false_alarm_identity", "outage", "test", "other"];

/** The key of each act. */
export const KEY_OF = { take: "a", resolve: "r", pass_on: "h", task: "t", escalate: "e", person: "p" };

const isArea = (alert) => alert.subject_id.startsWith("area:");

/** What may be done with an alert now, the likeliest first. */
export function offered(alert, store) {
  const { may, session } = store;
  const mine = alert.state === "acknowledged" && alert.acknowledged_by === session.principal;
  return [
    alert.state !== "acknowledged" && may("alert.take") && "take",
    may("alert.resolve") && "resolve",
    mine && may("alert.hand_over") && "pass_on",
    may("task.create") && !isArea(alert) && "task",
    may("alert.escalate") && "escalate",
    !isArea(alert) && may("people") && "person",
  ].filter(Boolean);
}

const about = (alert, store) => [
  el("p", {}, el("span", { class: `severity ${alert.severity}` }, t(`severity.${alert.severity}`)), " ", el("strong", {}, word(`rule.${alert.rule}`, alert.rule))),
  el("p", { class: "soft" }, store.sentence(alert)),
];

const note = () => el("label", {}, t("act.note"), el("textarea", { name: "note", maxlength: 2000 }));

/** Principals that the desk has heard of: whom an alert may go to. */
function colleagues(store) {
  const found = new Set([...store.alerts.values()].map((alert) => alert.acknowledged_by));
  for (const task of store.tasks.values()) found.add(task.owner);
  found.delete(store.session.principal);
  found.delete("");
  found.delete(undefined);
  return [...found].sort();
}

const ACTS = {
  person: (alert) => {
    window.location.hash = `#/person/${encodeURIComponent(alert.subject_id)}`;
  },
  escalate: (alert, store) => ask(alert, store, "escalate", [note()]),
  resolve: (alert, store) =>
    ask(alert, store, "resolve", [
      el(
        "fieldset",
        { class: "choices" },
        el("legend", {}, t("act.outcome")),
        OUTCOMES.map((outcome, i) =>
          el("label", { class: "choice" }, el("input", { type: "radio", name: "outcome", value: outcome, required: true, autofocus: i === 0 }), " ", el("kbd", { "aria-hidden": "true" }, i + 1), " ", t(`outcome.${outcome}`)),
        ),
      ),
      note(),
    ]),
  pass_on: (alert, store) =>
    ask(alert, store, "hand-over", [
      el("label", {}, t("act.to"), el("input", { name: "to", required: true, maxlength: 128, list: "colleagues", autocomplete: "off", autofocus: true })),
      el("datalist", { id: "colleagues" }, colleagues(store).map((name) => el("option", { value: name }))),
      note(),
    ]),
  task: async (alert, store) => {
    const key = newId();
    await question({
      title: t("act.task.title"),
      body: [
        about(alert, store),
        el("label", {}, t("act.to_agency"), el("select", { name: "to_agency", required: true, autofocus: true }, store.agencies.map((name) => el("option", { value: name, selected: name === store.session.agency }, word(`agency.${name}`, name))))),
        el("label", {}, t("act.task_title"), el("input", { name: "title", required: true, maxlength: 500, value: word(`rule.${alert.rule}`, alert.rule) })),
        note(),
      ],
      main: t("act.task.go"),
      send: (values) => store.send("/tasks", { subject_id: alert.subject_id, task_kind: "other", alert_id: alert.alert_id, severity: alert.severity, ...values }, key),
    });
  },
};

async function ask(alert, store, verb, body) {
  const key = newId(); // one for the dialog: pressing twice, or again after a lost line, is the same command
  await question({
    title: t(`act.${verb}.title`),
    body: [about(alert, store), body],
    main: t(`act.${verb}.go`),
    send: (values) => store.about(alert, verb, values, key),
  });
}

const taking = new Map(); // alert_id -> key of a take that got no answer: pressing again is the same

/** Do `what` with an alert. */
export async function act(what, alert, store) {
  if (store.busy.has(alert.alert_id) || !offered(alert, store).includes(what)) return;
  try {
    if (what !== "take") return void (await ACTS[what](alert, store));
    const key = taking.get(alert.alert_id) ?? newId();
    taking.set(alert.alert_id, key);
    await store.about(alert, "take", {}, key);
    taking.delete(alert.alert_id);
  } catch (error) {
    if (error.status) taking.delete(alert.alert_id);
    say(error.message, { bad: true });
  }
}

// in the list of outcomes a digit chooses
document.addEventListener("keydown", (event) => {
  const radios = document.querySelectorAll("dialog[open] .choices input");
  if (!radios.length || event.target.matches("textarea, input[type=text]")) return;
  const chosen = radios[Number(event.key) - 1];
  if (!chosen) return;
  chosen.checked = true;
  chosen.focus();
  event.preventDefault();
});
