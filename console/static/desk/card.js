// A person's card: what is so now, why the score is what it is, what happened, and the replay of where they were.

import { at, get, newId } from "../lib/api.js";
import { age, clockTime, day, stamp, until } from "../lib/clock.js";
import { el, fill } from "../lib/dom.js";
import { question, say } from "../lib/notices.js";
import { language, t, word } from "../lib/words.js";
import { replay } from "./replay.js";

const said = (texts) => texts?.[language()] ?? texts?.en ?? "";
const why = () => el("label", {}, t("act.reason"), el("textarea", { name: "reason", required: true, maxlength: 2000, autofocus: true }));
const note = () => el("label", {}, t("act.note"), el("textarea", { name: "note", maxlength: 2000 }));
const TIMELINE_MOST = 200;
const AGAIN_MS = 1_000;

export async function cardPage(box, store, subject_id) {
  const own = at`/subjects/${subject_id}`;
  const read = () => Promise.all([get(own), get(`${own}/score`), get(`${own}/timeline?limit=${TIMELINE_MOST}`)]);
  let [person, ledger, { timeline }] = await read();
  const left = el("div", {});
  const map = el("section", { class: "panel stack", "aria-label": t("card.replay") });
  const reason = el("div", { role: "region", "aria-live": "polite", "aria-label": t("card.why") });
  const happened = el("ol", { class: "timeline" });
  const pictures = el("div", { class: "pictures" });

  async function again() {
    [person, ledger, { timeline }] = await read();
    draw();
  }

  /** A button that gives a command about this person, after asking what it needs; `verb`: the path below the person's. */
  function button(key, path, about, { body = null, values = {}, names = key } = {}) {
    const press = async () => {
      const once = newId();
      const sent = await question({
        title: t(`${key}.title`),
        body: [el("p", {}, about), body],
        main: t(names),
        send: (given) => store.send(path, { ...values, ...given }, once),
      });
      if (sent) await again().catch((error) => say(error.message, { bad: true }));
    };
    return el("button", { on: { click: press } }, t(names));
  }

  function entryButtons({ entry, ...line }) {
    if (!entry || entry.kind !== "deduction") return null;
    const path = `${own}${at`/entries/${entry.entry_id}`}`;
    const found = [];
    if (entry.state === "provisional" && store.may("score.confirm")) found.push(button("score.confirm", `${path}/confirm`, said(line), { body: note() }));
    if (["provisional", "confirmed"].includes(entry.state) && store.may("score.reverse")) found.push(button("score.reverse", `${path}/reverse`, said(line), { body: why() }));
    if (entry.state === "appealed" && store.may("score.decide"))
      for (const decision of ["uphold", "reverse"]) found.push(button("score.decide", `${path}/decide`, said(line), { body: why(), values: { decision }, names: `score.decide.${decision}` }));
    return found.length > 0 && el("div", { class: "line-buttons" }, found);
  }

  function story() {
    const lines = ledger.lines ?? [];
    if (!lines.length) return el("p", { class: "soft" }, t("card.no_entries"));
    return el(
      "ol",
      { class: "story" },
      [...lines].reverse().map((line) =>
        el(
          "li",
          {},
          el("span", { class: `points ${line.effect < 0 ? "bad" : line.effect > 0 ? "good" : "soft"}` }, line.effect > 0 ? `+${line.effect}` : line.effect),
          el("div", {}, el("p", {}, said(line)), el("p", { class: "small soft" }, stamp(line.occurred_at), line.entry && ` · ${t(`entry.${line.entry.state}`)}`), entryButtons(line)),
        ),
      ),
    );
  }

  const facts = (rows) =>
    el("dl", { class: "facts" }, rows.filter(([, value]) => value !== null && value !== undefined && value !== "").map(([name, value]) => [el("dt", {}, name), el("dd", {}, value)]));
  const panel = (title, ...children) => el("section", { class: "panel" }, el("h2", {}, title), children);

  function head() {
    const { score, devices = [] } = person;
    return el(
      "section",
      { class: "panel stack" },
      el("div", { class: "score-head" },
        el("span", { class: "score-number" }, score?.points ?? person.points ?? "–"),
        el("span", { class: `code ${person.colour}` }, t(`code.${person.colour}`)),
        score && score.points_if_confirmed !== score.points && el("span", { class: "soft small" }, t("card.if_confirmed", { n: score.points_if_confirmed }))),
      facts([
        [t("card.case"), person.case_ref],
        [t("card.agency"), word(`agency.${person.agency}`, person.agency)],
        [t("card.stage"), word(`stage.${person.stage}`, person.stage)],
        [t("card.order"), person.order_id && `${person.order_id}${person.legal_basis ? ` (${person.legal_basis})` : ""}`],
        [t("card.order_ends"), person.state === "ended" ? t("card.ended") : person.ends_at ? `${day(person.ends_at)} · ${t("card.in", { time: until(person.ends_at) })}` : person.order_id && t("card.no_end")],
        ...devices.map((device) => [t("card.device"), deviceLine(device)]),
      ]),
    );
  }

  function deviceLine(device) {
    const battery = device.battery_pct ?? null;
    return [
      el("strong", {}, device.device_id),
      device.fix_time && ` · ${t("card.heard", { time: age(device.fix_time) })}`,
      battery !== null && [" · ", el("span", { class: battery < 20 ? "bad" : "" }, t("card.battery", { n: Math.round(battery) }))],
      device.silent_since && [" · ", el("span", { class: "bad" }, t("card.silent_since", { when: clockTime(device.silent_since) }))],
    ];
  }

  function breaches() {
    const rows = person.breaches ?? [];
    return rows.length > 0 && panel(t("card.breaches"), el("table", { class: "rows" }, el("tbody", {}, rows.slice(0, 20).map((one) =>
      el("tr", {},
        el("td", {}, one.incident_id ? el("button", { class: "link", on: { click: () => look(one.incident_id) } }, one.fence_name || one.fence_id) : one.fence_name || one.fence_id),
        el("td", { class: "nowrap" }, clockTime(one.since)),
        el("td", { class: "nowrap" }, one.until ? clockTime(one.until) : el("strong", { class: "bad" }, t("card.lasts", { time: age(one.since) }))))))));
  }

  function checkins() {
    const rows = person.checkins ?? [];
    if (!rows.length) return null;
    const settle = (one) =>
      one.type === "identity.doubtful" && store.may("identity.settle") && el("div", { class: "line-buttons" }, ["same_person", "different_person", "undetermined"].map((verdict) =>
        button("identity.settle", `${own}${at`/identity/${one.incident_id}`}/settle`, t("identity.settle.about", { when: stamp(one.at) }), { body: note(), values: { verdict }, names: `identity.${verdict}` })));
    return panel(
      t("card.checkins"),
      el("ul", { class: "list" }, rows.slice(0, 20).map((one) => el("li", {}, el("span", { class: "soft" }, stamp(one.at)), " ", word(`incident.${one.type}`, one.type), settle(one)))),
      store.may("pictures") && el("div", { class: "line-buttons" }, el("button", { on: { click: showPictures } }, t("card.pictures"))),
      pictures,
    );
  }

  async function showPictures() {
    try {
      const found = (await get(`${own}/pictures`)).pictures;
      fill(pictures, found.length ? found.map(({ at: taken, state, url }) =>
        el("figure", {}, el("img", { src: url, alt: t("card.picture_of", { when: stamp(taken) }), loading: "lazy" }), el("figcaption", { class: "small soft" }, `${stamp(taken)} · ${word(`checkin.${state}`, state ?? "")}`))) : el("p", { class: "soft" }, t("card.no_pictures")));
    } catch (error) {
      say(error.message, { bad: true });
    }
  }

  function leaves() {
    const rows = person.leaves ?? [];
    const decide = (leave) => leave.state === "asked" && store.may("leave.decide") && el("div", { class: "line-buttons" }, ["approve", "refuse"].map((decision) =>
      button("leave.decide", at`/leaves/${leave.leave_id}/decide`, `${stamp(leave.starts_at)} – ${stamp(leave.ends_at)}. ${leave.reason ?? ""}`, { body: note(), values: { decision }, names: `leave.decide.${decision}` })));
    return rows.length > 0 && panel(t("card.leaves"), el("ul", { class: "list" }, rows.map((leave) =>
      el("li", {}, `${stamp(leave.starts_at)} – ${stamp(leave.ends_at)} · `, el("strong", {}, t(`leave.${leave.state}`)), leave.reason && el("p", { class: "soft" }, leave.reason), decide(leave)))));
  }

  function tasks() {
    const rows = person.tasks ?? [];
    return rows.length > 0 && panel(t("card.tasks"), el("table", { class: "rows" }, el("tbody", {}, rows.map((task) =>
      el("tr", {}, el("td", {}, task.title || word(`task.${task.kind}`, task.kind)), el("td", {}, word(`agency.${task.agency}`, task.agency)), el("td", {}, t(`taskstate.${task.state}`)), el("td", { class: "nowrap" }, task.due_at ? clockTime(task.due_at) : ""))))));
  }

  function messages() {
    const rows = person.messages ?? [];
    return rows.length > 0 && el("details", { class: "panel" }, el("summary", {}, t("card.messages", { n: rows.length })), el("ul", { class: "list" }, rows.slice(0, 30).map((one) =>
      el("li", {}, el("span", { class: "soft small" }, stamp(one.at)), " ", el("strong", {}, one.title), el("p", {}, one.body)))));
  }

  function draw() {
    const alerts = [...store.alerts.values()].filter((alert) => alert.subject_id === subject_id);
    fill(
      left,
      head(),
      alerts.length > 0 && panel(t("card.alerts"), el("ul", { class: "list" }, alerts.map((alert) =>
        el("li", {}, el("span", { class: `severity ${alert.severity}` }, t(`severity.${alert.severity}`)), ` ${store.sentence(alert)}`)))),
      breaches(),
      panel(t("card.story"), story()),
      checkins(),
      leaves(),
      tasks(),
      messages(),
    );
    fill(
      happened,
      (timeline ?? []).map((moment) => {
        const title = said(moment.title) || word(`incident.${moment.detail?.type}`, moment.kind);
        return el("li", { data: { incident: moment.kind === "incident" ? moment.id : "" } },
          el("time", { class: "soft", datetime: moment.at }, stamp(moment.at)),
          el("div", {}, moment.kind === "incident" ? el("button", { class: "link", on: { click: () => look(moment.id) } }, title) : title, moment.by && !String(title).includes(moment.by) && el("span", { class: "soft small" }, ` · ${moment.by}`)));
      }),
    );
  }

  const player = replay(map, store, subject_id);

  /** An incident in words and picture, as `fenceline explain` tells it, and the track around it. */
  async function look(incident_id) {
    for (const row of happened.children) row.classList.toggle("chosen", row.dataset.incident === incident_id);
    try {
      const found = await get(`${own}${at`/incidents/${incident_id}`}`);
      fill(reason, el("section", { class: "panel stack" }, el("h2", {}, t("card.why")), el("p", {}, said(found)),
        found.drawing && el("p", { class: "small" }, el("a", { href: `/api/v1${own}${at`/incidents/${incident_id}`}/picture.png`, download: `${incident_id}.png` }, t("card.picture")))));
      map.scrollIntoView({ block: "nearest" });
      await player.show(found.incident, found.drawing);
    } catch (error) {
      say(error.message, { bad: true });
    }
  }

  const wide = el("div", { class: "wide" },
    el("div", { class: "page-head" }, el("a", { class: "button", href: "#/desk" }, t("do.back")), el("h1", {}, subject_id), el("span", { class: "small soft" }, t("card.audited"))),
    el("div", { class: "columns" }, left,
      el("div", {}, map, reason, el("section", { class: "panel" }, el("h2", {}, t("card.timeline")), happened, !(timeline ?? []).length && el("p", { class: "soft" }, t("card.nothing_happened"))))));
  fill(box, wide);
  draw();

  let soon = null;
  const mine = (what) => [...store[what].values()].filter((one) => one.subject_id === subject_id).map((one) => `${one.seq}${one.state}`).join();
  let print = "";
  const changed = () => {
    const next = mine("alerts") + mine("tasks");
    if (print && next !== print) {
      clearTimeout(soon);
      soon = setTimeout(() => left.contains(document.activeElement) || again().catch(() => {}), AGAIN_MS);
    }
    print = next;
  };
  changed();
  for (const name of ["alerts", "tasks"]) store.addEventListener(name, changed);
  return {
    close: () => {
      clearTimeout(soon);
      for (const name of ["alerts", "tasks"]) store.removeEventListener(name, changed);
      player.close();
    },
  };
}
