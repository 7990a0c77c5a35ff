// Replay: a time slider over a person's track, the fences of the time, and the incidents on it.

import { at, get } from "../lib/api.js";
import { clockTime, stamp } from "../lib/clock.js";
import { el, fill } from "../lib/dom.js";
import { t } from "../lib/words.js";
import { FenceLayer, places } from "../map/fences.js";
import { mapPanel } from "../map/panel.js";
import { TrackLayer } from "../map/track.js";

const SPEEDS = [1, 10, 60, 300];
const HOURS = [1, 6, 24, 168];
const STEP_MS = 1000;
const AROUND_MS = 1_800_000;

const [AT, LAT, LON, ACCURACY] = [0, 1, 2, 3]; // of a row, as in Track.columns
const METRES_PER_DEGREE = 111_195; // of a great circle on the mean sphere; over a few kilometres, for drawing

/** The points on which a judgement rests, and those that were not believed, of `fenceline explain`'s drawing, in degrees. */
function groundsOf(drawing) {
  if (!drawing) return { grounds: [], marks: [] };
  const place = (east_m, north_m) => ({
    lat: drawing.lat + north_m / METRES_PER_DEGREE,
    lon: drawing.lon + east_m / (METRES_PER_DEGREE * Math.cos((drawing.lat * Math.PI) / 180)),
  });
  const grounds = drawing.points
    .filter((point) => point.ground || point.thrown)
    .map((point) => ({ at: point.at, accuracy_m: point.accuracy_m, thrown: point.thrown ?? false, ground: point.ground ?? false, ...place(point.east_m, point.north_m) }));
  return { grounds, marks: drawing.crossing ? [{ at: drawing.occurred_at, ...place(...drawing.crossing) }] : [] };
}

/** Replay in `box` for a person. Returns {show(incident, drawing), close}. */
export function replay(box, store, subject_id) {
  const map = el("div", { class: "replay" });
  const track = new TrackLayer();
  const layer = new FenceLayer();
  const view = mapPanel(map, [layer, track], { label: t("replay.canvas"), ...store.session.settings });
  map.append(el("div", { class: "map-tools" }, view.buttons));

  let [from_ms, to_ms] = [0, 0];
  let playing = 0;
  let speed = 60;
  const slider = el("input", {
    type: "range",
    "aria-label": t("replay.time"),
    min: 0,
    step: STEP_MS,
    on: { input: () => move(from_ms + Number(slider.value)) },
  });
  const shown = el("output", { class: "mono" });
  const said = el("p", { class: "small soft", role: "status" });
  const play = el("button", { on: { click: () => run(!playing) } });
  const faster = el("select", { "aria-label": t("replay.speed"), on: { change: () => (speed = Number(faster.value)) } }, SPEEDS.map((n) => el("option", { value: n, selected: n === speed }, `${n}×`)));
  const span = el("select", { "aria-label": t("replay.span"), on: { change: () => read(Date.now() - Number(span.value) * 3600e3, Date.now()) } }, HOURS.map((n) => el("option", { value: n, selected: n === 6 }, t("replay.last", { n }))));

  function move(ms) {
    track.until = Math.max(from_ms, Math.min(to_ms, ms));
    slider.value = track.until - from_ms;
    const here = track.now();
    shown.textContent = stamp(new Date(track.until).toISOString());
    slider.setAttribute("aria-valuetext", shown.textContent);
    said.textContent = here ? t("replay.here", { when: clockTime(new Date(here.ms).toISOString()), m: Math.round(here.accuracy_m ?? 0) }) : t("replay.not_yet");
    view.redraw();
  }

  function run(on) {
    cancelAnimationFrame(playing);
    playing = 0;
    play.textContent = on ? t("replay.stop") : t("replay.play");
    if (!on) return;
    if (track.until >= to_ms) move(from_ms);
    let before = performance.now();
    const step = (now) => {
      move(track.until + (now - before) * speed);
      before = now;
      if (track.until >= to_ms) return run(false);
      playing = requestAnimationFrame(step);
    };
    playing = requestAnimationFrame(step);
  }

  async function read(from, to, focus) {
    run(false);
    said.textContent = t("replay.reading");
    const found = await get(`${at`/subjects/${subject_id}/track`}?from=${new Date(from).toISOString()}&to=${new Date(to).toISOString()}`).catch((error) => {
      said.textContent = error.message;
      return null;
    });
    if (!found) return;
    const fences = found.fences?.features ?? [];
    layer.set(fences);
    const grounds = (focus?.grounds ?? []).map((point) => ({ ...point, ms: Date.parse(point.at) }));
    const known = new Set(grounds.map((point) => point.ms));
    const reported = found.rows.filter((row) => !known.has(row[AT])).map((row) => ({ ms: row[AT], lat: row[LAT], lon: row[LON], accuracy_m: row[ACCURACY] }));
    const points = [...reported, ...grounds].sort((a, b) => a.ms - b.ms);
    track.set(points, focus?.marks ?? []);
    [from_ms, to_ms] = points.length ? [points[0].ms, points.at(-1).ms] : [from, to];
    slider.max = Math.max(1, to_ms - from_ms);
    const near = points.length ? points : fences.flatMap((fence) => places(fence.geometry, fence.properties.buffer_m));
    view.fit(near.filter((point) => !point.thrown), 17, 40);
    move(focus?.at_ms ?? to_ms);
    if (!points.length) said.textContent = t("replay.nothing");
    else if (found.truncated) said.textContent += ` ${t("replay.truncated")}`;
  }

  fill(
    box,
    map,
    el("div", { class: "replay-controls" }, play, slider, shown),
    el("div", { class: "replay-legend small soft" },
      span, faster,
      el("span", { class: "mark-sure" }, t("replay.sure")),
      el("span", { class: "mark-gap" }, t("replay.gap")),
      el("span", { class: "mark-circle" }, t("replay.circle")),
      el("span", { class: "mark-thrown" }, t("replay.thrown"))),
    said,
  );
  run(false);
  read(Date.now() - 6 * 3600e3, Date.now());
  return {
    /** Look at an incident: the track around it, at its moment. */
    show: (incident, drawing) => {
      const moment = Date.parse(incident.occurred_at);
      layer.chosen = incident.fence_id || null;
      return read(moment - AROUND_MS, moment + AROUND_MS, { at_ms: Math.max(moment, Date.parse(incident.detected_at)), ...groundsOf(drawing) });
    },
    close: () => {
      run(false);
      view.close();
    },
  };
}
