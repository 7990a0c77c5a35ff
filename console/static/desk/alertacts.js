// What an officer does with an alert: one command each, asked where words are needed, told what became of it.

import { newId } from "../lib/api.js";
import { el } from "../lib/dom.js";
import { question, say } from "../lib/notices.js";
import { t, word } from "../lib/words.js";

export const OUTCOMES = ["true_breach", "authorised", "false_alarm_gps", "false_alarm_device", "false_alarm_identity", "outage", "test", "other"];

const about = (alert, store) => [
  el("p", {}, el("span", { class: `severity ${alert.severity}` }, t(`severity.${alert.severity}`)), " ", el("strong", {}, word(`rule.${alert.rule}`, alert.rule))),
  el("p", { class: "soft" }, store.sentence(alert)),
];

const note = (required) =>
  el("label", {}, t(required ? "act.reason" : "act.note"), el("textarea", { name: "reason", maxlength: 2000, required }));

const ACTS = {
  person: (alert) => {
    window.location.hash = `#/person/${encodeURIComponent(alert.subject_id)}`;
  },
  acknowledge: (alert, store) => store.command(alert, { kind: "alert.acknowledge", alert_id: alert.alert_id }),
  escalate: (alert, store) => ask(alert, store, { kind: "alert.escalate", alert_id: alert.alert_id }, [note(false)]),
  resolve: (alert, store) =>
    ask(alert, store, { kind: "alert.resolve", alert_id: alert.alert_id }, [
      el(
        "fieldset",
        { class: "choices" },
        el("legend", {}, t("act.outcome")),
        OUTCOMES.map((outcome, i) =>
          el("label", { class: "choice" }, el("input", { type: "radio", name: "outcome", value: outcome, required: true, autofocus: i === 0 }), " ", el("kbd", { "aria-hidden": "true" }, i + 1), " ", t(`outcome.${outcome}`)),
        ),
      ),
      note(false),
    ]),
  hand_over: (alert, store) =>
    ask(
      alert,
      store,
      { kind: "task.create", task_kind: "other", alert_id: alert.alert_id, severity: alert.severity },
      [
        el("label", {}, t("act.to_agency"), el("select", { name: "to_agency", required: true, autofocus: true }, store.session.agencies.map((name) => el("option", { value: name }, word(`agency.${name}`, name))))),
        el("label", {}, t("act.task_title"), el("input", { name: "title", required: true, maxlength: 500, value: word(`rule.${alert.rule}`, alert.rule) })),
        note(false),
      ],
    ),
};

async function ask(alert, store, command, body) {
  const command_id = newId(); // one for the dialog: pressing twice, or again after a lost line, is the same command
  await question({
    title: t(`${command.kind}.title`),
    body: [about(alert, store), body],
    main: t(`${command.kind}.go`),
    send: (values) => store.send(alert.subject_id, { ...command, ...values, command_id }),
  });
}

/** Do `what` with an alert. */
export async function act(what, alert, store) {
  if (store.busy.has(alert.alert_id)) return;
  try {
    await ACTS[what](alert, store);
  } catch (error) {
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
