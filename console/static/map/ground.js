// What lies under everything: a base map's tiles where one is set, else a plain grid; and the scale bar on top.

import { distance_m, TILE_PX } from "./plane.js";

const KEPT_TILES = 256;
const MOST_TILE_ZOOM = 19;

/** The tiles of a base map. `template`: a URL with {z}, {x} and {y}, of raster tiles in Web Mercator. */
export class Tiles {
  constructor(template, redraw) {
    this.template = template;
    this.redraw = redraw;
    this.tiles = new Map();
  }

  draw(pen, view) {
    if (!this.template) return;
    const zoom = Math.max(0, Math.min(MOST_TILE_ZOOM, Math.round(view.zoom)));
    const count = 2 ** zoom;
    const [west, north, east, south] = view.bounds();
    const size = view.scale / count;
    pen.save();
    pen.globalAlpha = Number(view.colours("map-tiles")) || 1;
    for (let row = Math.max(0, Math.floor(north * count)); row <= Math.min(count - 1, Math.floor(south * count)); row++)
      for (let column = Math.floor(west * count); column <= Math.floor(east * count); column++) {
        const tile = this.tile(zoom, ((column % count) + count) % count, row);
        const x = view.sx(column / count);
        const y = view.sy(row / count);
        if (tile?.complete && tile.naturalWidth) pen.drawImage(tile, x, y, size + 0.5, size + 0.5);
      }
    pen.restore();
  }

  tile(zoom, column, row) {
    const key = `${zoom}/${column}/${row}`;
    const known = this.tiles.get(key);
    if (known) return known;
    if (this.tiles.size >= KEPT_TILES) this.tiles.delete(this.tiles.keys().next().value);
    const image = new Image(TILE_PX, TILE_PX);
    image.onload = this.redraw;
    image.src = this.template.replace("{z}", zoom).replace("{x}", column).replace("{y}", row);
    this.tiles.set(key, image);
    return image;
  }
}

/** A plain ground for where there is no base map: lines whose distance is a round number of metres. */
export class Grid {
  constructor(shown) {
    this.shown = shown;
  }

  draw(pen, view) {
    if (!this.shown()) return;
    const step = round_m(160 / view.px_per_m) * view.px_per_m;
    // lines stay on the ground while the map moves: counted from the world's corner
    const first = (x, half) => half - ((x * view.scale) % step) - Math.ceil(half / step) * step;
    pen.beginPath();
    for (let x = first(view.x, view.width / 2); x < view.width; x += step) {
      pen.moveTo(Math.round(x) + 0.5, 0);
      pen.lineTo(Math.round(x) + 0.5, view.height);
    }
    for (let y = first(view.y, view.height / 2); y < view.height; y += step) {
      pen.moveTo(0, Math.round(y) + 0.5);
      pen.lineTo(view.width, Math.round(y) + 0.5);
    }
    pen.strokeStyle = view.colours("map-grid");
    pen.lineWidth = 1;
    pen.stroke();
  }
}

/** 1, 2 or 5 times a power of ten, at most `m`. */
function round_m(m) {
  const power = 10 ** Math.floor(Math.log10(m));
  return [5, 2, 1].find((n) => n * power <= m) * power;
}

/** A bar of a round length, bottom left. */
export class ScaleBar {
  draw(pen, view) {
    const y = view.height - 18;
    const across = distance_m(view.at(0, y), view.at(100, y));
    if (!(across > 0)) return;
    const length_m = round_m(across);
    const px = (length_m / across) * 100;
    const text = length_m >= 1000 ? `${length_m / 1000} km` : `${length_m} m`;
    pen.strokeStyle = view.colours("map-ink");
    pen.fillStyle = view.colours("map-ink");
    pen.lineWidth = 1.5;
    pen.beginPath();
    pen.moveTo(16, y - 5);
    pen.lineTo(16, y);
    pen.lineTo(16 + px, y);
    pen.lineTo(16 + px, y - 5);
    pen.stroke();
    pen.font = "11px system-ui, sans-serif";
    pen.textAlign = "left";
    pen.textBaseline = "bottom";
    pen.fillText(text, 21, y - 2);
  }
}
