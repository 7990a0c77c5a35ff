// Fences: the list, the map to draw on, import, and the form of one fence.

import { el, fill } from "../lib/dom.js";
import { say } from "../lib/notices.js";
import { t, word } from "../lib/words.js";
import { FenceLayer, isShifted, places } from "../map/fences.js";
import { mapPanel } from "../map/panel.js";
import { Pencil } from "../map/pencil.js";
import { fenceForm } from "./fenceform.js";
import { read, Unusable } from "./files.js";

const SHOWN_MOST = 200;

/** A geometry as corners for the pencil, or null where it is more than one simple shape: kept as it is. */
export function cornersOf(geometry, buffer_m) {
  const corner = ([lon, lat]) => ({ lon, lat });
  if (geometry.type === "Point") return { kind: "Point", corners: [corner(geometry.coordinates)], buffer_m: buffer_m || 100, closed: true };
  if (geometry.type === "LineString") return { kind: "LineString", corners: geometry.coordinates.map(corner), buffer_m: buffer_m || 50, closed: true };
  if (geometry.type === "Polygon" && geometry.coordinates.length === 1 && geometry.coordinates[0].length < 400)
    return { kind: "Polygon", corners: geometry.coordinates[0].slice(0, -1).map(corner), buffer_m: buffer_m ?? 0, closed: true };
  return null;
}

export function fencesPage(box, store, fence_id) {
  const map = el("section", { class: "map", "aria-label": t("map.label") });
  const side = el("section", { class: "editor-side" });
  box.className = "editor";
  fill(box, map, side);
  const layer = new FenceLayer();
  const view = mapPanel(map, [layer], { label: t("fence.canvas"), ...store.session.settings });
  const hint = el("p", { class: "panel small", role: "status", hidden: true });
  map.append(el("div", { class: "map-tools" }, view.buttons, hint));
  let pencil = null;
  let form = null;
  let asked = "";

  const put_away = () => {
    pencil?.put_away();
    pencil = null;
    form?.close?.();
    form = null;
    hint.hidden = true;
    view.canvas.classList.remove("drawing");
  };

  function drawMap(without) {
    layer.set([...store.fences.values()].filter((fence) => fence.properties.fence_id !== without));
    view.redraw();
  }

  function list() {
    put_away();
    drawMap();
    layer.chosen = null;
    const shown = el("div", { class: "fence-list stack" });
    const rows = () => {
      const found = [...store.fences.values()].filter(({ properties }) => !asked || `${properties.fence_id} ${properties.name}`.toLowerCase().includes(asked));
      fill(
        shown,
        found.slice(0, SHOWN_MOST).map((fence) =>
          el("button", { on: { click: () => edit(fence) } },
            el("span", { class: `rule-mark ${fence.properties.rule}`, "aria-hidden": "true" }),
            fence.properties.name || fence.properties.fence_id,
            el("span", { class: "soft small" }, t(`rule_of.${fence.properties.rule}`)))),
        found.length > SHOWN_MOST && el("p", { class: "soft" }, t("fence.more", { n: found.length - SHOWN_MOST })),
        !found.length && el("p", { class: "soft" }, t("fence.none")),
      );
    };
    const file = el("input", { type: "file", accept: ".geojson,.json,.kml,application/geo+json", class: "unseen", "aria-label": t("fence.import"), on: { change: () => take(file) } });
    fill(
      side,
      el("h1", {}, t("nav.fences")),
      store.may("fence.put") && [
        el("div", { class: "choice-bar", role: "group", "aria-label": t("fence.new") },
          ["Polygon", "Point", "LineString"].map((kind) => el("button", { on: { click: () => fresh(kind) } }, t(`fence.draw.${kind}`))),
          el("button", { on: { click: () => file.click() } }, t("fence.import")), file)],
      el("input", { type: "search", placeholder: t("fence.find"), "aria-label": t("fence.find"), value: asked, on: { input: (event) => ((asked = event.target.value.trim().toLowerCase()), rows()) } }),
      shown,
    );
    rows();
    refresh = rows;
  }
  let refresh = () => {};

  function open(draft, shape, imported = false) {
    put_away();
    refresh = () => {};
    drawMap(draft.properties.fence_id);
    if (shape) {
      pencil = new Pencil(view);
      pencil.take(shape);
    } else layer.set([...layer.items.map((item) => item.fence), draft]);
    form = fenceForm(side, store, draft, pencil, { done: list, imported });
    const tell = () => {
      if (!pencil?.shape) return;
      const drawing = !pencil.shape.closed;
      view.canvas.classList.toggle("drawing", drawing);
      hint.hidden = false;
      hint.textContent = drawing ? t(`fence.hint.${pencil.shape.kind}`) : t("fence.hint.edit");
      form.shaped();
    };
    pencil?.addEventListener("change", tell);
    tell();
    form.shaped();
  }

  function fresh(kind) {
    open(
      {
        type: "Feature",
        geometry: null,
        properties: { fence_id: `fence-${crypto.randomUUID().slice(0, 8)}`, version: 1, name: "", rule: "stay_in", datum: "wgs84", buffer_m: kind === "Polygon" ? 0 : 100, severity: "medium", agency: store.session.agency || "default" },
      },
      { kind, corners: [], buffer_m: kind === "Polygon" ? 0 : 100, closed: false },
    );
    view.canvas.focus();
  }

  function edit(fence) {
    const draft = structuredClone(fence);
    view.fit(places(draft.geometry, draft.properties.buffer_m));
    open(draft, store.may("fence.put") && !isShifted(draft) ? cornersOf(draft.geometry, draft.properties.buffer_m) : null);
  }

  async function take(input) {
    const file = input.files[0];
    input.value = "";
    if (!file) return;
    try {
      const { shapes, left_out } = await read(file);
      if (left_out.length) say(t("import.left_out", { n: left_out.length, names: left_out.slice(0, 3).map((one) => `${one.name} (${one.kind})`).join(", ") }), { bad: true });
      view.fit(shapes.flatMap((shape) => places(shape.geometry)));
      if (shapes.length === 1) return imported(shapes[0]);
      fill(side, el("div", { class: "page-head" }, el("button", { on: { click: list } }, t("do.back")), el("h2", {}, t("import.found", { n: shapes.length }))),
        el("div", { class: "fence-list stack" }, shapes.map((shape) => el("button", { on: { click: () => imported(shape) } }, shape.name, el("span", { class: "soft small" }, shape.geometry.type)))));
      layer.set(shapes.map((shape, i) => ({ geometry: shape.geometry, properties: { fence_id: String(i), rule: "stay_in", buffer_m: 0 } })));
      view.redraw();
    } catch (error) {
      say(error instanceof Unusable ? t(error.key, error.values) : error.message, { bad: true });
    }
  }

  function imported({ name, geometry, properties }) {
    const known = ["rule", "severity", "buffer_m", "datum", "schedule", "confirm", "subjects"].filter((key) => properties[key] !== undefined);
    const draft = {
      type: "Feature",
      geometry,
      properties: {
        fence_id: properties.fence_id ?? `fence-${crypto.randomUUID().slice(0, 8)}`,
        version: 1,
        name,
        rule: "stay_in",
        datum: "wgs84",
        buffer_m: geometry.type.endsWith("Polygon") ? 0 : 100,
        severity: "medium",
        ...Object.fromEntries(known.map((key) => [key, properties[key]])),
        agency: store.session.agency || "default",
      },
    };
    open(draft, cornersOf(geometry, draft.properties.buffer_m), true);
  }

  view.addEventListener("pick", ({ detail: found }) => {
    if (!form && found?.kind === "fence" && store.fences.has(found.id)) edit(store.fences.get(found.id));
  });
  const key = (event) => {
    if (!pencil || event.target.closest?.("input, textarea, select")) return;
    if (event.key === "Enter") pencil.finish();
    else if (event.key === "Delete" || event.key === "Backspace") pencil.remove();
    else return;
    event.preventDefault();
  };
  document.addEventListener("keydown", key);
  const fencesChanged = () => (form ? null : (drawMap(), refresh()));
  store.addEventListener("fences", fencesChanged);

  list();
  const all = [...store.fences.values()].flatMap((fence) => places(fence.geometry, fence.properties.buffer_m));
  if (all.length) view.fit(all, 15);
  if (fence_id && store.fences.has(fence_id)) edit(store.fences.get(fence_id));
  return {
    close: () => {
      put_away();
      document.removeEventListener("keydown", key);
      store.removeEventListener("fences", fencesChanged);
      view.close();
    },
  };
}
