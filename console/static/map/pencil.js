// A tool that draws and edits a shape on the map: a polygon, a line, or a circle around a point.
// Corners are dragged; a middle becomes a corner by dragging it; a corner goes by double click or the delete key.

import { outline, trace } from "./fences.js";
import { distance_m, metre, worldX, worldY } from "./plane.js";

const NEAR_PX = 11;

export class Pencil extends EventTarget {
  /** Draws on `view`. Sends `change` after each stroke; `shape` is {kind, corners: [{lat, lon}], buffer_m, closed}. */
  constructor(view) {
    super();
    this.view = view;
    this.shape = null;
    this.grip = null;
    view.layers.push(this);
    view.tool = this;
  }

  /** Start a new shape, or go on with `shape`. */
  take(shape) {
    this.shape = shape;
    this.chosen = null;
    this.view.redraw();
    this.dispatchEvent(new Event("change"));
  }

  get ready() {
    const shape = this.shape;
    if (!shape) return false;
    return shape.kind === "Polygon" ? shape.corners.length > 2 : shape.corners.length > (shape.kind === "Point" ? 0 : 1);
  }

  /** The shape as a GeoJSON geometry. */
  geometry() {
    const at = this.shape.corners.map(({ lat, lon }) => [round(lon), round(lat)]);
    if (this.shape.kind === "Point") return { type: "Point", coordinates: at[0] };
    if (this.shape.kind === "LineString") return { type: "LineString", coordinates: at };
    return { type: "Polygon", coordinates: [[...at, at[0]]] };
  }

  /** Which pairs of sides cross each other: a fence drawn over itself is shown, and not saved. */
  crossings() {
    if (this.shape?.kind !== "Polygon") return [];
    const c = this.shape.corners.map(({ lat, lon }) => [worldX(lon), worldY(lat)]);
    const found = [];
    for (let i = 0; i < c.length; i++)
      for (let j = i + 2; j < c.length; j++) {
        if (i === 0 && j === c.length - 1) continue;
        if (cross(c[i], c[(i + 1) % c.length], c[j], c[(j + 1) % c.length])) found.push([i, j]);
      }
    return found;
  }

  draw(pen, view) {
    const shape = this.shape;
    if (!shape?.corners.length) return;
    const colour = this.crossings().length ? view.colours("critical") : view.colours("accent");
    const points = shape.corners.map(({ lat, lon }) => view.over(lat, lon));
    if (shape.kind === "Point" || shape.kind === "LineString") {
      const item = outline(shape.corners.length > 1 || shape.kind === "Point" ? this.geometry() : { type: "Point", coordinates: [shape.corners[0].lon, shape.corners[0].lat] }, shape.buffer_m);
      trace(pen, view, item);
      pen.globalAlpha = 0.15;
      pen.fillStyle = pen.strokeStyle = colour;
      if (item.kind === "Point") pen.fill();
      else {
        pen.lineCap = pen.lineJoin = "round";
        pen.lineWidth = Math.max(2, 2 * shape.buffer_m * view.px_per_m);
        pen.stroke();
      }
      pen.globalAlpha = 1;
    } else {
      pen.beginPath();
      points.forEach(([x, y], i) => (i ? pen.lineTo(x, y) : pen.moveTo(x, y)));
      if (shape.closed) pen.closePath();
      else if (this.pointer) pen.lineTo(...this.pointer);
      pen.globalAlpha = 0.14;
      pen.fillStyle = colour;
      pen.fill("evenodd");
      pen.globalAlpha = 1;
    }
    pen.strokeStyle = colour;
    pen.lineWidth = 2;
    pen.lineCap = "butt";
    pen.stroke();
    pen.fillStyle = view.colours("map-group");
    if (shape.closed && shape.kind !== "Point")
      for (const [x, y] of this.middles()) spot(pen, x, y, 3);
    points.forEach(([x, y], i) => spot(pen, x, y, i === this.chosen ? 7 : 5));
    if (shape.kind === "Point") spot(pen, ...this.rim(), 5);
  }

  middles() {
    const points = this.shape.corners.map(({ lat, lon }) => this.view.over(lat, lon));
    const last = this.shape.kind === "Polygon" ? points.length : points.length - 1;
    return points.slice(0, last).map(([x, y], i) => {
      const [u, v] = points[(i + 1) % points.length];
      return [(x + u) / 2, (y + v) / 2];
    });
  }

  rim() {
    const { lat, lon } = this.shape.corners[0];
    const [x, y] = this.view.over(lat, lon);
    return [x + this.shape.buffer_m * metre(lat) * this.view.scale, y];
  }

  down(px, py) {
    const shape = this.shape;
    if (!shape?.corners.length) return false;
    const near = ([x, y]) => Math.hypot(x - px, y - py) < NEAR_PX;
    if (shape.kind === "Point" && near(this.rim())) return this.hold({ rim: true });
    const corner = shape.corners.findIndex(({ lat, lon }) => near(this.view.over(lat, lon)));
    if (corner >= 0) {
      if (!shape.closed && corner === 0 && this.ready) {
        shape.closed = true;
        this.changed();
        return this.hold({});
      }
      this.chosen = corner;
      return this.hold({ corner });
    }
    if (!shape.closed || shape.kind === "Point") return false;
    const middle = this.middles().findIndex(near);
    if (middle < 0) return false;
    shape.corners.splice(middle + 1, 0, this.view.at(px, py));
    this.chosen = middle + 1;
    return this.hold({ corner: middle + 1 });
  }

  hold(grip) {
    this.grip = grip;
    this.view.redraw();
    return true;
  }

  drag(px, py) {
    const at = this.view.at(px, py);
    if (this.grip?.rim) this.shape.buffer_m = Math.max(5, Math.round(distance_m(this.shape.corners[0], at)));
    else if (this.grip?.corner !== undefined) this.shape.corners[this.grip.corner] = at;
    this.view.redraw();
  }

  up() {
    this.grip = null;
    this.changed();
  }

  hover(px, py) {
    this.pointer = [px, py];
    if (this.shape && !this.shape.closed) this.view.redraw();
  }

  tap(px, py) {
    const shape = this.shape;
    if (!shape) return false;
    if (shape.closed) return true;
    shape.corners.push(this.view.at(px, py));
    if (shape.kind === "Point") shape.closed = true;
    this.changed();
    return true;
  }

  double(px, py) {
    const shape = this.shape;
    if (!shape) return false;
    if (!shape.closed && this.ready) {
      shape.corners.pop(); // the double click's second tap
      shape.closed = true;
      this.changed();
      return true;
    }
    const corner = shape.corners.findIndex(({ lat, lon }) => Math.hypot(...difference(this.view.over(lat, lon), [px, py])) < NEAR_PX);
    if (corner >= 0) this.remove(corner);
    return true;
  }

  /** Take a corner out, as long as a shape remains. */
  remove(corner = this.chosen) {
    const least = { Polygon: 4, LineString: 3, Point: 99 }[this.shape?.kind] ?? 99;
    if (corner === null || corner === undefined || this.shape.corners.length < least) return;
    this.shape.corners.splice(corner, 1);
    this.chosen = null;
    this.changed();
  }

  /** Close what is being drawn. */
  finish() {
    if (!this.ready || this.shape.closed) return;
    this.shape.closed = true;
    this.changed();
  }

  changed() {
    this.view.redraw();
    this.dispatchEvent(new Event("change"));
  }

  put_away() {
    this.shape = null;
    this.view.layers = this.view.layers.filter((layer) => layer !== this);
    if (this.view.tool === this) this.view.tool = null;
    this.view.redraw();
  }
}

const round = (degrees) => Math.round(degrees * 1e7) / 1e7;
const difference = ([a, b], [c, d]) => [a - c, b - d];

function spot(pen, x, y, radius) {
  pen.beginPath();
  pen.arc(x, y, radius, 0, 2 * Math.PI);
  pen.fill();
  pen.stroke();
}

function cross(a, b, c, d) {
  const side = (p, q, r) => Math.sign((q[0] - p[0]) * (r[1] - p[1]) - (q[1] - p[1]) * (r[0] - p[0]));
  return side(a, b, c) * side(a, b, d) < 0 && side(c, d, a) * side(c, d, b) < 0;
}
