// The desk: the live map and the queue beside it.

import { stamp } from "../lib/clock.js";
import { el, fill } from "../lib/dom.js";
import { say } from "../lib/notices.js";
import { t } from "../lib/words.js";
import { FenceLayer } from "../map/fences.js";
import { latOf, lonOf } from "../map/plane.js";
import { mapPanel } from "../map/panel.js";
import { PeopleLayer } from "../map/people.js";
import { act } from "./alertacts.js";
import { help } from "./keys.js";
import { Queue } from "./queue.js";
import { ACCURACY, LAT, LON, SILENT, STATE, TIME } from "./store.js";

const CHOSEN_ZOOM = 15.5;
let lookedAt = null; // where the map was left, so that coming back finds it so

export function deskPage(box, store) {
  const map = el("section", { class: "map", "aria-label": t("map.label") });
  const side = el("section", { class: "queue", "aria-label": t("queue.title") });
  box.className = "desk";
  fill(box, map, side);

  const fences = new FenceLayer();
  const people = new PeopleLayer();
  const view = mapPanel(map, [fences, people], { label: t("map.canvas"), ...store.session.settings });
  const drawFences = () => {
    fences.set([...store.fences.values()], stateOf(store));
    view.redraw();
  };
  const drawAlerts = () => {
    queue.draw();
    fences.restate(stateOf(store));
    view.redraw();
  };
  const put = (rows) => {
    for (const row of rows) people.put(row);
    view.redraw();
  };
  const rows = () => [...store.positions.values()];
  const fit = () => view.fit(rows().map((row) => ({ lat: row[LAT], lon: row[LON] })), 15);
  const lookAt = (subject_id) => {
    const row = store.positionOf(subject_id);
    if (row) view.look(row[LAT], row[LON], Math.max(view.zoom, CHOSEN_ZOOM));
    return Boolean(row);
  };

  const queue = new Queue(side, store);
  queue.addEventListener("help", help);
  queue.addEventListener("act", ({ detail }) => act(detail.what, detail.alert, store));
  queue.addEventListener("chosen", ({ detail: alert }) => {
    people.chosen = alert?.subject_id ?? null;
    fences.chosen = alert?.fence_id || null;
    if (alert && !lookAt(alert.subject_id) && alert.area?.south !== undefined && alert?.area?.south !== null)
      view.fit([{ lat: alert.area.south, lon: alert.area.west }, { lat: alert.area.north, lon: alert.area.east }]);
    view.redraw();
  });

  const peek = el("div", { class: "peek", role: "status" });
  view.addEventListener("pick", ({ detail: found }) => {
    peek.replaceChildren();
    if (found?.kind === "person") {
      people.chosen = found.id;
      peek.append(personPeek(store, found.id));
    } else if (found?.kind === "group") view.look(latOf(found.y), lonOf(found.x), view.zoom + 2);
    else if (found?.kind === "fence") peek.append(fencePeek(found.fence));
    else people.chosen = null;
    view.redraw();
  });

  const search = finder(store, (person) => {
    people.chosen = person.subject_id;
    lookAt(person.subject_id);
    peek.replaceChildren(personPeek(store, person.subject_id));
    view.redraw();
  });
  map.append(
    el("div", { class: "map-tools" }, search.box, view.buttons, el("button", { on: { click: fit }, title: t("map.all") }, t("map.all")), peek),
    legend(),
  );

  let fitted = Boolean(lookedAt);
  const listeners = {
    fences: drawFences,
    alerts: drawAlerts,
    emptied: () => people.clear(),
    moved: ({ detail }) => {
      put(detail);
      if (!fitted && detail.length) fit();
      fitted ||= detail.length > 0;
    },
  };
  for (const [name, listener] of Object.entries(listeners)) store.addEventListener(name, listener);
  drawFences();
  put(rows());
  if (lookedAt) view.look(...lookedAt);
  else if (store.positions.size) {
    fit();
    fitted = true;
  }
  globalThis.deskView = view; // for measuring frames: see docs/desk.md

  return {
    queue,
    act: (what, alert) => act(what, alert, store),
    find: () => search.input.focus(),
    choose: (id) => queue.choose(id),
    close: () => {
      lookedAt = [latOf(view.y), lonOf(view.x), view.zoom];
      for (const [name, listener] of Object.entries(listeners)) store.removeEventListener(name, listener);
      queue.close();
      view.close();
    },
  };
}

function legend() {
  return el(
    "div",
    { class: "legend" },
    ["green", "yellow", "red"].map((colour) => el("span", { class: `code ${colour}` }, t(`code.${colour}`))),
    el("span", { class: "key silent" }, t("map.silent")),
    el("span", { class: "key" }, t("rule_of.stay_in")),
    el("span", { class: "key out" }, t("rule_of.keep_out")),
  );
}

const stateOf = (store) => {
  const broken = store.broken;
  return (fence) => (broken.has(fence.properties.fence_id) ? "broken" : fence.properties.duty_now === false ? "off" : "on");
};

/** "Last position 21:04:05, within 8 m" of a row, or that there is none. */
export function lastFix(row) {
  if (!row) return t("map.no_fix");
  const when = stamp(new Date(row[TIME]).toISOString());
  return row[ACCURACY] === null ? t("map.last_fix_vague", { when }) : t("map.last_fix", { when, m: Math.round(row[ACCURACY]) });
}

function personPeek(store, subject_id) {
  const person = store.people.get(subject_id);
  const row = store.positionOf(subject_id);
  return el(
    "div",
    { class: "panel" },
    el("strong", {}, subject_id),
    person?.case_ref && el("span", { class: "soft" }, ` ${person.case_ref}`),
    person && el("div", {}, el("span", { class: `code ${person.colour}` }, t(`code.${person.colour}`), ` ${person.points ?? ""}`)),
    el("div", { class: "small soft" }, lastFix(row)),
    row?.[STATE] === SILENT && el("div", { class: "small bad" }, t("map.silent")),
    el("a", { href: `#/person/${encodeURIComponent(subject_id)}` }, t("map.open_card")),
  );
}

function fencePeek(fence) {
  const { name, fence_id, rule, buffer_m } = fence.properties;
  return el(
    "div",
    { class: "panel" },
    el("strong", {}, name || fence_id),
    el("div", { class: "small soft" }, [t(`rule_of.${rule}`), buffer_m ? t("fence.buffer_short", { m: buffer_m }) : ""].filter(Boolean).join(" · ")),
    el("a", { href: `#/fences/${encodeURIComponent(fence_id)}` }, t("map.open_fence")),
  );
}

const FOUND_MOST = 12;

/** A field that finds a person by reference or case. */
function finder(store, chosen) {
  let at = 0;
  let found = [];
  const list = el("ul", { id: "found", role: "listbox", "aria-label": t("map.find"), hidden: true });
  const take = (person) => {
    list.hidden = true;
    input.setAttribute("aria-expanded", "false");
    input.value = "";
    input.blur();
    chosen(person);
  };
  const show = () => {
    const asked = input.value.trim().toLowerCase();
    found = asked
      ? [...store.people.values()].filter((one) => [one.subject_id, one.case_ref].some((text) => text?.toLowerCase().includes(asked))).slice(0, FOUND_MOST)
      : [];
    at = Math.min(at, Math.max(0, found.length - 1));
    list.hidden = !found.length;
    input.setAttribute("aria-expanded", String(!list.hidden));
    if (found.length) input.setAttribute("aria-activedescendant", `found-${at}`);
    else input.removeAttribute("aria-activedescendant");
    fill(
      list,
      found.map((person, i) =>
        el(
          "li",
          { id: `found-${i}`, role: "option", "aria-selected": String(i === at), on: { pointerdown: (event) => (event.preventDefault(), take(person)) } },
          el("span", {}, person.subject_id, " ", el("span", { class: "soft" }, person.case_ref ?? "")),
          el("span", { class: `code ${person.colour}` }, el("span", { class: "unseen" }, t(`code.${person.colour}`))),
        ),
      ),
    );
  };
  const input = el("input", {
    type: "search",
    role: "combobox",
    placeholder: t("map.find"),
    "aria-label": t("map.find"),
    "aria-expanded": "false",
    "aria-controls": "found",
    autocomplete: "off",
    on: {
      input: show,
      blur: () => (list.hidden = true),
      keydown: (event) => {
        if (event.key === "ArrowDown") at = Math.min(at + 1, found.length - 1);
        else if (event.key === "ArrowUp") at = Math.max(at - 1, 0);
        else if (event.key === "Enter" && found[at]) return take(found[at]);
        else if (event.key === "Enter" && input.value) return say(t("map.not_found", { what: input.value }));
        else if (event.key === "Escape") return input.blur();
        else return;
        event.preventDefault();
        show();
      },
    },
  });
  return { input, box: el("div", { class: "find" }, input, list) };
}
