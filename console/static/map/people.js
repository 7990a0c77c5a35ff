// People on the map: a mark by colour code (a shape too, for eyes that do not tell red from green), the circle in which
// the receiver says that they are, and one mark for many where they would cover each other.

import { metre, worldX, worldY } from "./plane.js";

const COLOURS = ["green", "yellow", "red"];
const [DEVICE, SUBJECT, LAT, LON, ACCURACY, COLOUR, STATE] = [0, 1, 3, 4, 5, 6, 7]; // of a row, as in Positions.columns
const LOOKS = [0, 8, 4, 16]; // by state: well, breach, silent, another open alert
const MARK_PX = 16;
const CLUSTER_PX = 56;
const CLUSTER_BELOW_ZOOM = 16;
const CIRCLE_FROM_ZOOM = 12.5;
const HIT_PX = 14;
const URGENT = 8 | 16;

export class PeopleLayer {
  constructor() {
    this.places = new Map(); // device_id -> row
    this.ids = []; // the subject_id of each row
    this.x = new Float64Array(0);
    this.y = new Float64Array(0);
    this.wide = new Float64Array(0); // the accuracy, as a share of the world
    this.look = new Uint8Array(0); // colour | 4: silent | 8: breach open | 16: another open alert
    this.count = 0;
    this.chosen = null;
    this.marks = new Map();
    this.groups = [];
  }

  /** Put or move a device, and so the person who wears it. `said`: a row of positions. */
  put(said) {
    let row = this.places.get(said[DEVICE]);
    if (row === undefined) {
      row = this.count++;
      if (row >= this.x.length) this.grow();
      this.places.set(said[DEVICE], row);
    }
    this.ids[row] = said[SUBJECT];
    this.x[row] = worldX(said[LON]);
    this.y[row] = worldY(said[LAT]);
    this.wide[row] = (said[ACCURACY] ?? 0) * metre(said[LAT]);
    this.look[row] = said[COLOUR] | LOOKS[said[STATE]];
  }

  clear() {
    this.places.clear();
    this.ids.length = 0;
    this.count = 0;
  }

  grow() {
    const size = Math.max(256, this.x.length * 2);
    for (const name of ["x", "y", "wide", "look"]) {
      const bigger = new this[name].constructor(size);
      bigger.set(this[name]);
      this[name] = bigger;
    }
  }

  draw(pen, view) {
    const [west, north, east, south] = view.bounds(MARK_PX);
    const cluster = view.zoom < CLUSTER_BELOW_ZOOM;
    const cells = new Map();
    const alone = [];
    const cell = CLUSTER_PX / view.scale;
    for (let row = 0; row < this.count; row++) {
      const x = this.x[row];
      const y = this.y[row];
      if (x < west || x > east || y < north || y > south) continue;
      // whoever has an open alert, or is chosen, is never hidden in a group
      if (!cluster || this.look[row] & URGENT || this.ids[row] === this.chosen) {
        alone.push(row);
        continue;
      }
      // cells are counted from the world's corner, so that groups stay while the map moves
      const key = Math.floor(x / cell) * 0x4000000 + Math.floor(y / cell);
      const group = cells.get(key);
      if (!group) cells.set(key, { first: row, n: 1, x, y, kinds: [0, 0, 0] });
      else {
        group.n++;
        group.x += x;
        group.y += y;
      }
      cells.get(key).kinds[this.look[row] & 3]++;
    }
    this.groups = [];
    for (const group of cells.values()) {
      if (group.n === 1) alone.push(group.first);
      else this.groups.push({ ...group, x: group.x / group.n, y: group.y / group.n });
    }
    if (view.zoom >= CIRCLE_FROM_ZOOM) this.circles(pen, view, alone);
    for (const group of this.groups) this.group(pen, view, group);
    alone.sort((a, b) => (this.look[a] & 8) - (this.look[b] & 8) || (this.look[a] & URGENT) - (this.look[b] & URGENT) || (this.look[a] & 3) - (this.look[b] & 3));
    for (const row of alone) {
      const mark = this.mark(view, this.look[row], this.ids[row] === this.chosen);
      pen.drawImage(mark, view.sx(this.x[row]) - mark.half, view.sy(this.y[row]) - mark.half, 2 * mark.half, 2 * mark.half);
    }
    this.alone = alone;
  }

  circles(pen, view, rows) {
    pen.fillStyle = view.colours("map-accuracy");
    pen.strokeStyle = view.colours("map-accuracy-line");
    pen.lineWidth = 1;
    pen.beginPath();
    for (const row of rows) {
      const radius = this.wide[row] * view.scale;
      if (radius < MARK_PX / 2) continue;
      const [x, y] = [view.sx(this.x[row]), view.sy(this.y[row])];
      pen.moveTo(x + radius, y);
      pen.arc(x, y, radius, 0, 2 * Math.PI);
    }
    pen.fill();
    pen.stroke();
  }

  group(pen, view, { x, y, n, kinds }) {
    const radius = Math.min(22, 10 + 3 * Math.log2(n) * 0.7);
    const [px, py] = [view.sx(x), view.sy(y)];
    pen.beginPath();
    pen.arc(px, py, radius, 0, 2 * Math.PI);
    pen.fillStyle = view.colours("map-group");
    pen.fill();
    let from = -Math.PI / 2;
    pen.lineWidth = 3;
    kinds.forEach((some, kind) => {
      if (!some) return;
      const to = from + (2 * Math.PI * some) / n;
      pen.beginPath();
      pen.arc(px, py, radius, from, to);
      pen.strokeStyle = view.colours(`code-${COLOURS[kind]}`);
      pen.stroke();
      from = to;
    });
    pen.fillStyle = view.colours("map-ink");
    pen.font = "600 11px system-ui, sans-serif";
    pen.textAlign = "center";
    pen.textBaseline = "middle";
    pen.fillText(n > 9999 ? `${Math.round(n / 1000)}k` : n, px, py + 0.5);
  }

  /** A mark, drawn once for each look and kept. */
  mark(view, look, chosen) {
    const kind = look & 3;
    const colour = view.colours(`code-${COLOURS[kind]}`);
    const key = `${look}|${chosen}|${colour}|${view.ratio}`;
    const kept = this.marks.get(key);
    if (kept) return kept;
    const half = look & URGENT || chosen ? 17 : 9;
    const canvas = document.createElement("canvas");
    canvas.width = canvas.height = Math.ceil(2 * half * view.ratio);
    canvas.half = half;
    const pen = canvas.getContext("2d");
    pen.scale(view.ratio, view.ratio);
    pen.translate(half, half);
    if (look & URGENT) {
      pen.fillStyle = view.colours(look & 8 ? "fence-broken" : "medium");
      pen.globalAlpha = 0.28;
      pen.beginPath();
      pen.arc(0, 0, 16, 0, 2 * Math.PI);
      pen.fill();
      pen.globalAlpha = 1;
    }
    if (chosen) {
      pen.strokeStyle = view.colours("accent");
      pen.lineWidth = 2.5;
      pen.beginPath();
      pen.arc(0, 0, 14, 0, 2 * Math.PI);
      pen.stroke();
    }
    pen.beginPath();
    if (kind === 0) pen.arc(0, 0, 5.5, 0, 2 * Math.PI);
    else if (kind === 1) polygon(pen, [[0, -7], [7, 0], [0, 7], [-7, 0]]);
    else polygon(pen, [[-5.5, -5.5], [5.5, -5.5], [5.5, 5.5], [-5.5, 5.5]]);
    pen.fillStyle = look & 4 ? view.colours("map-ground") : colour;
    pen.fill();
    pen.lineWidth = look & 4 ? 2 : 1.5;
    pen.strokeStyle = look & 4 ? colour : view.colours("map-mark-edge");
    pen.stroke();
    this.marks.set(key, canvas);
    return canvas;
  }

  /** Who, or which group, is at a pixel. */
  hit(px, py, view) {
    let best = null;
    let least = HIT_PX;
    for (const row of this.alone ?? []) {
      const far = Math.hypot(view.sx(this.x[row]) - px, view.sy(this.y[row]) - py);
      if (far < least) [least, best] = [far, { kind: "person", id: this.ids[row] }];
    }
    if (best) return best;
    const group = this.groups.find((one) => Math.hypot(view.sx(one.x) - px, view.sy(one.y) - py) < 22);
    return group ? { kind: "group", x: group.x, y: group.y, n: group.n } : null;
  }
}

function polygon(pen, corners) {
  corners.forEach(([x, y], i) => (i ? pen.lineTo(x, y) : pen.moveTo(x, y)));
  pen.closePath();
}
