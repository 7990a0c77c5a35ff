// The form of one fence: what it asks of whom and when, what the draft would have raised, its versions, and saving.

import { at, del, get, newId, post, put } from "../lib/api.js";
import { stamp } from "../lib/clock.js";
import { el, fill } from "../lib/dom.js";
import { question, say } from "../lib/notices.js";
import { language, t } from "../lib/words.js";
import { isShifted } from "../map/fences.js";
import { weekGrid } from "./week.js";

const SEVERITIES = ["low", "medium", "high", "critical"];
const DATUMS = ["wgs84", "gcj02", "bd09"];
const WHATIF_DAYS = 7;
const WHATIF_PATIENCE_MS = 120_000;
const CHANGES_MOST = 50;
const OURS = ["stored", "duty_now"]; // what the server tells beside what a fence is

/**
 * The form in `side` for `draft`, shaped by `pencil` (null: the shape stays as it is). `done()` goes back to the list;
 * `imported`: the shape came from a file, which may be in any datum.
 */
export function fenceForm(side, store, draft, pencil, { done, imported = false }) {
  const given = draft.properties;
  const known = store.fences.has(given.fence_id);
  const may = store.may("fence.put");
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  let schedule = given.schedule ?? null;

  const input = (attributes) => el("input", { disabled: !may, ...attributes });
  const choice = (options, chosen, text) => el("select", { disabled: !may }, options.map((one) => el("option", { value: one, selected: one === chosen }, text(one))));
  const name = input({ value: given.name ?? "", maxlength: 200 });
  const rule = choice(["stay_in", "keep_out"], given.rule, (one) => t(`rule_of.${one}`));
  const severity = choice(SEVERITIES, given.severity ?? "medium", (one) => t(`severity.${one}`));
  const datum = choice(pencil && !imported ? ["wgs84"] : isShifted(draft) ? [given.datum] : DATUMS, given.datum ?? "wgs84", (one) => t(`datum.${one}`));
  const buffer = input({ type: "number", min: 0, max: 1000000, step: 5, value: given.buffer_m ?? 0, on: { input: () => {
    if (!pencil?.shape) return;
    pencil.shape.buffer_m = Number(buffer.value) || 0;
    pencil.view.redraw();
  } } });
  const subjects = el("textarea", { rows: 2, disabled: !may, placeholder: t("fence.subjects_all") });
  subjects.value = (given.subjects ?? []).join("\n");
  const fixes = input({ type: "number", min: 1, max: 100, value: given.confirm?.fixes ?? "", placeholder: t("fence.auto") });
  const span = input({ type: "number", min: 0, max: 86400, value: given.confirm?.span_s ?? "", placeholder: t("fence.auto") });

  const always = input({ type: "checkbox", checked: !schedule, on: { change: () => {
    schedule = always.checked ? null : { time_zone: zone, windows: [{ start: "21:00", end: "06:00" }] };
    drawWeek();
  } } });
  const week = el("div", {});
  const drawWeek = () => {
    const kept = schedule && [...(schedule.recurrences ?? []).map((one) => one.rrule), ...(schedule.exceptions ?? []), schedule.holidays].filter(Boolean);
    fill(
      week,
      schedule && [
        el("label", {}, t("fence.zone"), input({ value: schedule.time_zone, on: { change: (event) => (schedule = { ...schedule, time_zone: event.target.value.trim() }) } })),
        weekGrid(schedule.windows ?? [], (windows) => (schedule = { ...schedule, windows })),
        kept.length > 0 && el("p", { class: "small soft" }, t("fence.kept", { what: kept.join(", ") })),
      ],
    );
  };
  drawWeek();

  /** The Feature as the form and the map say now. */
  function feature() {
    const people = subjects.value.split(/[\s,，;；]+/).filter(Boolean);
    const properties = { ...given, name: name.value.trim(), rule: rule.value, severity: severity.value, datum: datum.value, buffer_m: Number(buffer.value) || 0, version: given.version ?? 1 };
    for (const word of ["subjects", "schedule", "confirm", "effective_from", ...OURS]) delete properties[word];
    if (people.length) properties.subjects = people;
    if (schedule) properties.schedule = schedule;
    if (fixes.value || span.value) properties.confirm = { fixes: Number(fixes.value) || 1, span_s: Number(span.value) || 0 };
    const stored = given.stored?.geometry ?? given.stored;
    return { type: "Feature", geometry: pencil ? pencil.geometry() : (stored ?? draft.geometry), properties };
  }

  const trouble = el("div", { class: "bad", role: "alert", hidden: true });
  const save = el("button", { class: "main", type: "button", on: { click: () => keep() } }, t("do.save"));
  const tryOut = el("button", { type: "button", on: { click: () => tryDraft() } }, t("whatif.go"));
  const outcome = el("section", { role: "region", "aria-live": "polite", "aria-label": t("whatif.title", { days: WHATIF_DAYS }) });
  const busy = (on) => {
    save.disabled = tryOut.disabled = on;
  };

  function wrong(error) {
    const findings = error?.problem?.findings ?? [];
    trouble.hidden = !error;
    fill(trouble, error && el("p", {}, typeof error === "string" ? error : error.message), findings.length > 0 && el("ul", {}, findings.map((one) => el("li", {}, `${one.what} ${one.mend ?? ""}`))));
  }

  /** The shape changed on the map. */
  function shaped() {
    if (!pencil) return;
    if (pencil.shape?.kind === "Point" && document.activeElement !== buffer) buffer.value = pencil.shape.buffer_m;
    const crossed = pencil.crossings().length > 0;
    busy(!(pencil.ready && pencil.shape.closed && !crossed));
    wrong(crossed ? t("fence.crosses") : null);
    fill(outcome); // said of another shape
  }

  const once = newId();

  async function keep() {
    busy(true);
    wrong(null);
    try {
      const headers = { "Idempotency-Key": once, ...(known && { "If-Match": String(given.version) }) };
      const saved = await put(at`/fences/${given.fence_id}`, feature(), { headers });
      say(t("fence.saved", { name: name.value || given.fence_id, n: saved.version }));
      for (const one of saved.findings ?? []) say(`${one.what} ${one.mend ?? ""}`);
      await store.readFences();
      done();
    } catch (error) {
      wrong(error.status === 409 ? t("fence.newer") : error);
    } finally {
      busy(false);
    }
  }

  async function tryDraft() {
    busy(true);
    wrong(null);
    fill(outcome, el("p", { class: "soft" }, t("whatif.running", { days: WHATIF_DAYS })));
    try {
      const found = await post(`/fences/what-if?days=${WHATIF_DAYS}`, feature(), { patience_ms: WHATIF_PATIENCE_MS });
      const changes = found.changes ?? [];
      fill(
        outcome,
        el("h2", {}, t("whatif.title", { days: WHATIF_DAYS })),
        el("p", {}, changes.length ? t("whatif.raised", { opened: found.opened, dropped: found.dropped, moved: found.moved }) : t("whatif.none")),
        el("p", { class: "small soft" }, t("whatif.basis", { n: found.fixes })),
        el("ul", { class: "list small" }, changes.slice(0, CHANGES_MOST).map((one) =>
          el("li", {}, el("strong", {}, t(`whatif.${one.kind}`)), ` ${stamp(one.since)} · `, el("a", { href: `#/person/${encodeURIComponent(one.subject_id)}`, target: "_blank" }, one.subject_id), el("p", {}, one[language()] ?? one.en)))),
        changes.length > CHANGES_MOST && el("p", { class: "small soft" }, t("fence.more", { n: changes.length - CHANGES_MOST })),
      );
    } catch (error) {
      fill(outcome);
      wrong(error);
    } finally {
      busy(false);
    }
  }

  async function withdraw() {
    const sent = await question({
      title: t("fence.withdraw.title"),
      body: el("p", {}, t("fence.withdraw.about", { name: given.name || given.fence_id })),
      main: t("fence.withdraw"),
      danger: true,
      send: () => del(at`/fences/${given.fence_id}`, { headers: { "Idempotency-Key": once } }),
    });
    if (!sent) return;
    await store.readFences().catch(() => {});
    done();
  }

  const versions = el("details", { class: "small", on: { toggle: () => versions.open && history() } }, el("summary", {}, t("fence.versions")));
  async function history() {
    if (versions.children.length > 1) return;
    try {
      const rows = (await get(at`/fences/${given.fence_id}/versions`)).versions;
      versions.append(el("table", { class: "rows" }, el("tbody", {}, rows.map((one) =>
        el("tr", {}, el("td", {}, `v${one.version}`), el("td", {}, stamp(one.said_at)), el("td", {}, one.feature ? (one.feature.properties.name ?? "") : t("fence.withdrawn")))))));
    } catch (error) {
      say(error.message, { bad: true });
    }
  }

  const label = (key, field, all = false) => el("label", { class: all ? "all" : "" }, t(key), field);
  fill(
    side,
    el("div", { class: "page-head" }, el("button", { type: "button", on: { click: done } }, t("do.back")), el("h1", {}, known ? given.name || given.fence_id : t("fence.new")), el("span", { class: "mono soft" }, given.fence_id)),
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
    el("div", { class: "buttons" }, known && may && el("button", { class: "plain", type: "button", on: { click: withdraw } }, t("fence.withdraw")), tryOut, may && save),
    outcome,
    known && versions,
  );
  return { shaped };
}
