// A map with what every map has: ground, tiles, scale, and buttons to zoom.

import { el } from "../lib/dom.js";
import { t } from "../lib/words.js";
import { Grid, ScaleBar, Tiles } from "./ground.js";
import { MapView } from "./view.js";

/**
 * A map in `box`. `layers` lie between the ground and the scale bar; `tiles`: the URL template of a base map, or "";
 * `attribution`: whose it is.
 */
export function mapPanel(box, layers, { label, tiles: base = "", attribution = "", lat, lon, zoom } = {}) {
  const view = new MapView(box, { label, lat, lon, zoom });
  const tiles = new Tiles(base, () => view.redraw());
  view.layers = [new Grid(() => !base), tiles, ...layers, new ScaleBar()];
  if (base && attribution) box.append(el("p", { class: "attribution" }, attribution));
  const theme = () => view.redraw();
  document.addEventListener("theme", theme);
  const close = view.close.bind(view);
  view.close = () => {
    document.removeEventListener("theme", theme);
    close();
  };
  const step = (by, sign, name) =>
    el("button", { "aria-label": t(name), title: t(name), on: { click: () => view.zoomBy(by) } }, sign);
  view.buttons = el("div", { class: "pair" }, step(1, "+", "map.nearer"), step(-1, "−", "map.farther"));
  return view;
}
