// Today: what is due, when the next check-in is, which areas and hours hold.

import { clockTime, now } from "../lib/clock.js";
import { el } from "../lib/dom.js";
import { t } from "../lib/words.js";
import { checkin } from "./checkin.js";

export function todayTab(me) {
  const { day } = me.said;
  const zone = day.person?.time_zone;
  const box = el("div", { class: "stack" });
  const duty = (one) =>
    el("li", {},
      el("div", { class: "duty-head" }, el("strong", {}, one.name || one.fence_id), el("span", { class: `pill ${one.now ? "on" : ""}` }, t(one.now ? "duty.now" : "duty.not_now"))),
      el("div", {}, t(`duty.${one.rule}`)),
      el("div", { class: "soft small" }, one.changes_at ? t(one.now ? "duty.until" : "duty.from", { when: clockTime(one.changes_at, zone) }) : one.now ? t("duty.always") : ""));
  box.append(
    stateOf(day),
    due(me, day.checkins ?? [], zone, () => checkin(me, box)),
    el("section", { class: "panel" }, el("h2", {}, t("me.duties")),
      (day.duties ?? []).length ? el("ul", { class: "list" }, day.duties.map(duty)) : el("p", { class: "soft" }, t("me.no_duties"))),
  );
  const leaves = (day.leaves ?? []).filter((leave) => leave.state === "approved" && Date.parse(leave.ends_at) > now());
  if (leaves.length)
    box.append(el("section", { class: "panel" }, el("h2", {}, t("card.leaves")), el("ul", { class: "list" }, leaves.map((leave) =>
      el("li", {}, `${clockTime(leave.starts_at, zone)} – ${clockTime(leave.ends_at, zone)}`)))));
  return box;
}

/** Whether all is well, in a word and what to do where it is not. */
function stateOf(day) {
  const state = day.state ?? day.person?.state ?? "ok";
  return el("section", { class: `panel day-state ${state}`, role: "status" }, el("h1", {}, t(`day.${state}.title`)), el("p", { class: "soft" }, t(`day.${state}.text`)));
}

function due(me, slots, zone, start) {
  const waiting = slots.filter((slot) => ["called", "planned"].includes(slot.state) && Date.parse(slot.closes_at) > now()).sort((a, b) => a.closes_at.localeCompare(b.closes_at));
  const open = waiting.find((slot) => Date.parse(slot.opens_at) <= now());
  const next = waiting.find((slot) => slot !== open);
  return el("section", { class: open ? "panel due" : "panel" },
    el("h2", {}, t("me.checkin")),
    open && el("p", {}, el("strong", {}, t("me.checkin_open", { until: clockTime(open.closes_at, zone) }))),
    next && el("p", {}, t("me.checkin_next", { from: clockTime(next.opens_at, zone), until: clockTime(next.closes_at, zone) })),
    !waiting.length && el("p", { class: "soft" }, t("me.no_checkin")),
    el("button", { class: open ? "main big" : "big", on: { click: start } }, t("checkin.start")));
}
