// The form of one fence: what it asks of whom and when, what the draft would have raised, its versions, and saving.

import { at, get, put } from "../lib/api.js";
import { stamp } from "../lib/clock.js";
import { el, fill } from "../lib/dom.js";
import { say } from "../lib/notices.js";
import { t } from "../lib/words.js";
import { weekGrid } from "./week.js";

const SEVERITIES = ["low", "medium", "high", "critical"];
const DATUMS = ["wgs84", "gcj02", "bd09"];

/** The form in `side` for `draft`, shaped by `pencil` (null: the shape stays as it is). `done()` goes back to the list. */
export function fenceForm(side, store, draft, pencil, { done }) {
  const given = draft.properties;
  const known = store.fences.has(given.fence_id);
  const may = store.may("fence.put");
  let schedule = given.schedule ?? null;
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;

  const name = el("input", { value: given.name ?? "", maxlength: 200, disabled: !may });
  const choice = (options, chosen, text) => el("select", { disabled: !may }, options.map((one) => el("option", { value: one, selected: one === chosen }, text(one))));
  const rule = choice(["stay_in", "keep_out"], given.rule, (one) => t(`rule_of.${one}`));
  const severity = choice(SEVERITIES, given.severity ?? "medium", (one) => t(`severity.${one}`));
  const datum = choice(pencil ? ["wgs84"] : DATUMS, given.datum ?? "wgs84", (one) => t(`datum.${one}`));
  const buffer = el("input", { type: "number", min: 0, max: 1000000, step: 5, value: given.buffer_m ?? 0, disabled: !may, on: { input: () => {
    if (pencil?.shape) {
      pencil.shape.buffer_m = Number(buffer.value) || 0;
      pencil.view.redraw();
    }
  } } });
  const subjects = el("textarea", { rows: 2, disabled: !may, placeholder: t("fence.subjects_all") });
  subjects.value = (given.subjects ?? []).join("\n");
  const fixes = el("input", { type: "number", min: 1, max: 100, value: given.confirm?.fixes ?? "", placeholder: t("fence.auto"), disabled: !may });
  const span = el("input", { type: "number", min: 0, max: 86400, value: given.confirm?.span_s ?? "", placeholder: t("fence.auto"), disabled: !may });

  const always = el("input", { type: "checkbox", checked: !schedule, disabled: !may, on: { change: () => ((schedule = always.checked ? null : { time_zone: zone, windows: [{ start: "21:00", end: "06:00" }] }), drawWeek()) } });
  const week = el("div", {});
  const drawWeek = () => {
    fill(
      week,
      schedule && [
        el("label", {}, t("fence.zone"), el("input", { value: schedule.time_zone, disabled: !may, on: { change: (event) => (schedule = { ...schedule, time_zone: event.target.value.trim() }) } })),
        weekGrid(schedule.windows ?? [], (windows) => (schedule = { ...schedule, windows })),
        (schedule.recurrences?.length || schedule.exceptions?.length || schedule.holidays) && el("p", { class: "small soft" }, t("fence.kept", { what: [...(schedule.recurrences ?? []).map((one) => one.rrule), ...(schedule.exceptions ?? []), schedule.holidays].filter(Boolean).join(", ") })),
      ],
    );
  };
  drawWeek();

  /** The Feature as the form and the map say now. */
  const feature = () => {
    const people = subjects.value.split(/[\s,，;；]+/).filter(Boolean);
    const properties = { ...given, name: name.value.trim(), rule: rule.value, severity: severity.value, datum: datum.value, buffer_m: Number(buffer.value) || 0, version: given.version ?? 1 };
    delete properties.subjects;
    delete properties.schedule;
    delete properties.confirm;
    delete properties.effective_from;
    if (people.length) properties.subjects = people;
    if (schedule) properties.schedule = schedule;
    if (fixes.value || span.value) properties.confirm = { fixes: Number(fixes.value) || 1, span_s: Number(span.value) || 0 };
    return { type: "Feature", geometry: pencil ? pencil.geometry() : draft.geometry, properties };
  };

  const trouble = el("p", { class: "bad", role: "alert", hidden: true });
  const save = el("button", { class: "main", on: { click: () => keep() } }, t("do.save"));

  function wrong(text) {
    trouble.hidden = !text;
    trouble.textContent = text ?? "";
  }

  /** The shape changed on the map. */
  function shaped() {
    if (!pencil) return;
    if (pencil.shape?.kind === "Point" && document.activeElement !== buffer) buffer.value = pencil.shape.buffer_m;
    const crossed = pencil.crossings().length > 0;
    const ready = pencil.ready && pencil.shape.closed && !crossed;
    save.disabled = !ready;
    wrong(crossed ? t("fence.crosses") : "");
  }

  async function keep() {
    save.disabled = true;
    wrong("");
    try {
      const saved = await put(at`/fences/${given.fence_id}`, feature());
      say(t("fence.saved", { name: name.value || given.fence_id, n: saved.properties?.version ?? saved.version ?? "" }));
      await store.readFences();
      done();
    } catch (error) {
      wrong(told(error));
    } finally {
      save.disabled = false;
    }
  }

  const told = (error) => [error.message, ...(error.problem?.findings ?? []).map((one) => `${one.what} ${one.mend}`)].join(" ");

  const versions = el("details", { class: "small", on: { toggle: () => versions.open && history() } }, el("summary", {}, t("fence.versions")));
  async function history() {
    if (versions.children.length > 1) return;
    try {
      const rows = (await get(at`/fences/${given.fence_id}/versions`)).versions;
      versions.append(el("table", { class: "rows" }, el("tbody", {}, rows.map((one) =>
        el("tr", {}, el("td", {}, `v${one.version}`), el("td", {}, one.effective_from ? stamp(one.effective_from) : "–"), el("td", {}, one.name ?? ""), el("td", {}, one.by ?? ""))))));
    } catch (error) {
      versions.append(el("p", { class: "bad" }, error.message));
    }
  }

  const label = (key, field, all = false) => el("label", { class: all ? "all" : "" }, t(key), field);
  fill(
    side,
    el("div", { class: "page-head" }, el("button", { on: { click: done } }, t("do.back")), el("h2", {}, known ? given.name || given.fence_id : t("fence.new")), el("span", { class: "mono soft" }, given.fence_id)),
    el("div", { class: "fields" },
      label("fence.name", name, true),
      label("fence.rule", rule),
      label("fence.severity", severity),
      label("fence.buffer", buffer),
      label("fence.datum", datum),
      label("fence.subjects", subjects, true),
      label("fence.fixes", fixes),
      label("fence.span", span)),
    el("label", { class: "choice" }, always, t("fence.always")),
    week,
    trouble,
    may && el("div", { class: "buttons" }, save),
    known && versions,
  );
  return { shaped };
}
