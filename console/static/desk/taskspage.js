// Tasks by agency: overdue first, then by when they are due; taken, handed over, finished and declined here.

import { at, get, newId } from "../lib/api.js";
import { age, clockTime, now } from "../lib/clock.js";
import { el, fill } from "../lib/dom.js";
import { question, say } from "../lib/notices.js";
import { t, word } from "../lib/words.js";

const SHOWN_MOST = 500;
const OPEN = new Set(["open", "received", "accepted"]);

const due = (task) => (task.due_at ? Date.parse(task.due_at) : Infinity);
const overdue = (task) => OPEN.has(task.state) && due(task) < now();

export function tasksPage(box, store) {
  const wide = el("div", { class: "wide" });
  fill(box, wide);
  let agency = "";
  let past = null; // closed tasks, once asked for

  async function give(task, verb, title, body, main) {
    const key = newId();
    const send = (values) => store.send(at`/tasks/${task.task_id}/${verb}`, values, key);
    if (!body) return send({}).catch((error) => say(error.message, { bad: true }));
    return question({ title, body: [el("p", { class: "soft" }, named(task)), body], main, send });
  }

  async function showPast(on) {
    past = on ? await get("/tasks?state=closed&limit=200").then((found) => found.tasks, (error) => (say(error.message, { bad: true }), null)) : null;
    draw();
  }

  const reason = () => el("label", {}, t("act.reason"), el("textarea", { name: "reason", required: true, maxlength: 2000, autofocus: true }));
  const ACTIONS = {
    "task.accept": (task) => give(task, "accept"),
    "task.done": (task) => give(task, "done", t("task.done.title"), el("label", {}, t("task.outcome"), el("input", { name: "outcome", required: true, maxlength: 200, autofocus: true })), t("task.done")),
    "task.hand_over": (task) =>
      give(
        task,
        "hand-over",
        t("task.hand_over.title"),
        [
          el("label", {}, t("act.to_agency"), el("select", { name: "to_agency", required: true }, store.agencies.filter((name) => name !== task.agency).map((name) => el("option", { value: name }, word(`agency.${name}`, name))))),
          reason(),
        ],
        t("task.hand_over"),
      ),
    "task.decline": (task) => give(task, "decline", t("task.decline.title"), reason(), t("task.decline")),
  };

  const named = (task) => task.title || word(`task.${task.kind}`, task.kind);

  function buttons(task) {
    if (!OPEN.has(task.state)) return null;
    const offered = task.state === "accepted" ? ["task.done", "task.hand_over"] : ["task.accept", "task.hand_over", "task.decline"];
    return offered.filter(store.may).map((kind, i) => el("button", { class: i ? "" : "main", on: { click: () => ACTIONS[kind](task) } }, t(kind)));
  }

  function draw() {
    const all = [...new Map([...(past ?? []), ...store.tasks.values()].map((task) => [task.task_id, task])).values()];
    const agencies = [...new Set([...store.agencies, ...all.map((task) => task.agency)])];
    const rows = all
      .filter((task) => (past || OPEN.has(task.state)) && (!agency || task.agency === agency))
      .sort((a, b) => OPEN.has(b.state) - OPEN.has(a.state) || overdue(b) - overdue(a) || due(a) - due(b) || a.created_at.localeCompare(b.created_at))
      .slice(0, SHOWN_MOST);
    const count = (name) => all.filter((task) => OPEN.has(task.state) && (!name || task.agency === name)).length;
    fill(
      wide,
      el("div", { class: "page-head" },
        el("h1", {}, t("nav.tasks")),
        el("div", { class: "choice-bar", role: "group", "aria-label": t("act.to_agency") },
          ["", ...agencies].map((name) => el("button", { "aria-pressed": String(name === agency), on: { click: () => ((agency = name), draw()) } }, `${name ? word(`agency.${name}`, name) : t("tasks.all")} ${count(name)}`))),
        el("label", { class: "choice small" }, el("input", { type: "checkbox", checked: Boolean(past), on: { change: (event) => showPast(event.target.checked) } }), t("tasks.closed"))),
      rows.length
        ? el("table", { class: "rows panel" },
            el("thead", {}, el("tr", {}, ["due", "what", "person", "agency", "state", "do"].map((name) => el("th", { scope: "col" }, t(`tasks.${name}`))))),
            el("tbody", {}, rows.map((task) =>
              el("tr", { class: overdue(task) ? "overdue" : "" },
                el("td", { class: "nowrap" }, task.due_at ? [el("span", { class: overdue(task) ? "bad" : "" }, clockTime(task.due_at)), overdue(task) && el("div", { class: "small bad" }, t("tasks.overdue", { by: age(task.due_at) }))] : "–"),
                el("td", {}, el("strong", {}, named(task)), " ", el("span", { class: `severity ${task.severity}` }, t(`severity.${task.severity}`)), task.outcome && el("div", { class: "soft" }, task.outcome), task.reason && el("div", { class: "soft" }, task.reason)),
                el("td", {}, el("a", { href: `#/person/${encodeURIComponent(task.subject_id)}` }, task.subject_id)),
                el("td", {}, word(`agency.${task.agency}`, task.agency), task.from_agency && task.from_agency !== task.agency && el("div", { class: "small soft" }, t("tasks.from", { who: word(`agency.${task.from_agency}`, task.from_agency) }))),
                el("td", {}, t(`taskstate.${task.state}`), task.owner && el("div", { class: "small soft" }, task.owner)),
                el("td", {}, el("div", { class: "line-buttons" }, buttons(task)))))))
        : el("p", { class: "panel soft" }, t("tasks.none")),
    );
  }

  store.addEventListener("tasks", draw);
  const ticking = setInterval(() => document.querySelector("dialog[open]") || wide.contains(document.activeElement) || draw(), 30_000);
  draw();
  return {
    close: () => {
      store.removeEventListener("tasks", draw);
      clearInterval(ticking);
    },
  };
}
