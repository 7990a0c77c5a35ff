// Today: is all well, what is due, when the next check-in is.

import { clockTime } from "../lib/clock.js";
import { el, fill } from "../lib/dom.js";
import { t } from "../lib/words.js";

export function todayTab(me) {
  const { state } = me;
  const zone = state.subject?.time_zone;
  const box = el("div", { class: "stack" });
  fill(
    box,
    el("section", { class: "panel" },
      el("h2", {}, t("me.duties")),
      (state.duties ?? []).length
        ? el("ul", { class: "list" }, state.duties.map((duty) =>
            el("li", {}, el("strong", {}, duty.name || duty.fence_id), el("div", {}, t(`duty.${duty.rule}`)), el("div", { class: "soft small" }, hours(duty, zone)))))
        : el("p", { class: "soft" }, t("me.no_duties"))),
    el("section", { class: "panel" },
      el("h2", {}, t("me.device")),
      el("p", {}, state.device?.heard_at ? t("me.heard", { when: clockTime(state.device.heard_at, zone) }) : t("me.not_heard"))),
  );
  return box;
}

function hours(duty, zone) {
  if (!duty.schedule) return t("duty.always");
  const today = duty.today ?? [];
  return today.length ? today.map(({ starts_at, ends_at }) => `${clockTime(starts_at, zone)}–${clockTime(ends_at, zone)}`).join(", ") : t("duty.not_today");
}
