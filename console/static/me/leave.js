// Leave: where to, from when to when, and why; and what became of what was asked.

import { at } from "../lib/api.js";
import { clockTime } from "../lib/clock.js";
import { el } from "../lib/dom.js";
import { say } from "../lib/notices.js";
import { t } from "../lib/words.js";
import { FenceLayer, firstPlace } from "../map/fences.js";
import { mapPanel } from "../map/panel.js";
import { Pencil } from "../map/pencil.js";

const SIDES = 24;
const METRES_PER_DEGREE = 111_195; // of a great circle on the mean sphere; an area that somebody points at need not be exact

/** A circle as the polygon that a leave's region is. */
export function region({ lat, lon }, radius_m) {
  const corner = (i) => {
    const turn = (2 * Math.PI * i) / SIDES;
    const north = (radius_m * Math.cos(turn)) / METRES_PER_DEGREE;
    const east = (radius_m * Math.sin(turn)) / (METRES_PER_DEGREE * Math.cos((lat * Math.PI) / 180));
    return [+(lon - east).toFixed(6), +(lat + north).toFixed(6)];
  };
  const ring = Array.from({ length: SIDES }, (_, i) => corner(i));
  return { type: "Polygon", coordinates: [[...ring, ring[0]]] };
}

export function leaveTab(me) {
  const { leaves = [] } = me.said.leaves;
  const { duties = [], person } = me.said.day;
  const zone = person?.time_zone;
  const map = el("div", { class: "map" });
  const from = el("input", { type: "datetime-local", name: "from", required: true, on: { focus: () => (me.stay = true) } });
  const until = el("input", { type: "datetime-local", name: "until", required: true });
  const reason = el("textarea", { name: "reason", required: true, maxlength: 2000, rows: 3, on: { focus: () => (me.stay = true) } });
  const anywhere = el("input", { type: "checkbox", on: { change: () => (map.hidden = anywhere.checked) } });
  const trouble = el("p", { class: "bad", role: "alert", hidden: true });
  let view = null;
  let pencil = null;

  const waiting = new IntersectionObserver(() => {
    if (view || !map.isConnected || !map.clientWidth) return;
    waiting.disconnect();
    const layer = new FenceLayer();
    const shown = duties.map((duty) => duty.feature).filter(Boolean);
    layer.set(shown);
    const home = shown.length ? firstPlace(shown[0].geometry) : [120.16, 30.27];
    view = mapPanel(map, [layer], { label: t("leave.canvas"), ...me.session.settings, lat: home[1], lon: home[0], zoom: 12.5 });
    pencil = new Pencil(view);
    pencil.take({ kind: "Point", corners: [], buffer_m: 500, closed: false });
    pencil.addEventListener("change", () => (me.stay = true));
    map.append(view.buttons);
  });
  waiting.observe(map);

  async function ask(event) {
    event.preventDefault();
    const starts = new Date(from.value);
    const ends = new Date(until.value);
    trouble.hidden = true;
    const wrong = !(ends > starts) ? "leave.order" : ends < Date.now() ? "leave.past" : !anywhere.checked && !pencil?.ready ? "leave.no_place" : "";
    if (wrong) {
      trouble.textContent = t(wrong);
      trouble.hidden = false;
      return;
    }
    const body = { starts_at: starts.toISOString(), ends_at: ends.toISOString(), reason: reason.value };
    if (!anywhere.checked) body.region = region(pencil.shape.corners[0], pencil.shape.buffer_m);
    await me.outbox.put("/my/leaves", body, t("leave.about", { from: clockTime(starts, zone), until: clockTime(ends, zone) }));
    say(t(me.outbox.waiting.length ? "outbox.kept" : "outbox.sent"));
    me.stay = false;
    me.again();
  }

  async function withdraw(leave) {
    await me.outbox.put(at`/my/leaves/${leave.leave_id}/withdraw`, {}, t("leave.withdraw"), leave.leave_id);
    say(t(me.outbox.waiting.length ? "outbox.kept" : "outbox.sent"));
    me.again();
  }
  const mayWithdraw = (leave) => ["asked", "approved"].includes(leave.state) && Date.parse(leave.ends_at) > Date.now() && !me.outbox.waiting.some((letter) => letter.about_id === leave.leave_id);

  return el("div", { class: "stack" },
    el("h1", { class: "unseen" }, t("me.leave")),
    leaves.length > 0 && el("section", { class: "panel" }, el("h2", {}, t("leave.yours")), el("ul", { class: "list" }, leaves.map((leave) =>
      el("li", {}, `${clockTime(leave.starts_at, zone)} – ${clockTime(leave.ends_at, zone)}`, " ", el("strong", {}, t(`leave.${leave.state}`)), leave.reason && el("div", { class: "soft" }, leave.reason),
        mayWithdraw(leave) && el("button", { on: { click: () => withdraw(leave) } }, t("leave.withdraw")))))),
    el("form", { class: "panel stack", on: { submit: ask } },
      el("h2", {}, t("leave.ask")),
      el("p", { class: "soft" }, t("leave.about_asking")),
      el("label", {}, t("leave.from"), from),
      el("label", {}, t("leave.until"), until),
      el("label", {}, t("act.reason"), reason),
      el("p", { class: "soft small" }, t("leave.point")),
      map,
      el("label", { class: "choice" }, anywhere, " ", t("leave.anywhere")),
      trouble,
      el("button", { class: "main big", type: "submit" }, t("leave.send"))));
}
