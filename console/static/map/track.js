// A track on the map, up to a moment: what is sure as a line, what is doubtful as what it is.
// Between fixes far apart the way is not known: dashed. Where the receiver was unsure: its circle. What was not believed:
// a cross. What is still to come: faint.

import { metre, worldX, worldY } from "./plane.js";

const GAP_S = 180;
const DOUBT_M = 60;

export class TrackLayer {
  constructor() {
    this.points = [];
    this.until = Infinity;
    this.marks = [];
  }

  /** `points`: [{ms, lat, lon, accuracy_m, ground, thrown}], in order of time. `marks`: [{at, lat, lon}] of crossings. */
  set(points, marks = []) {
    this.points = points.map((point) => ({
      ...point,
      x: worldX(point.lon),
      y: worldY(point.lat),
      wide: (point.accuracy_m ?? 0) * metre(point.lat),
    }));
    this.marks = marks.map((mark) => ({ ...mark, ms: Date.parse(mark.at), x: worldX(mark.lon), y: worldY(mark.lat) }));
  }

  /** The last believed point at or before a moment (ms). */
  now() {
    let found = null;
    for (const point of this.points) {
      if (point.ms > this.until) break;
      if (!point.thrown) found = point;
    }
    return found;
  }

  draw(pen, view) {
    const sure = view.colours("track");
    const doubt = view.colours("track-doubt");
    const px = (point) => [view.sx(point.x), view.sy(point.y)];
    let before = null;
    pen.lineJoin = "round";
    for (const point of this.points) {
      const ahead = point.ms > this.until;
      if (point.thrown) {
        if (!ahead) cross(pen, ...px(point), doubt);
        continue;
      }
      if (before) {
        const gap = (point.ms - before.ms) / 1000 > GAP_S;
        pen.beginPath();
        pen.moveTo(...px(before));
        pen.lineTo(...px(point));
        pen.globalAlpha = ahead ? 0.22 : 1;
        pen.setLineDash(gap ? [3, 6] : []);
        pen.strokeStyle = gap || (point.accuracy_m ?? 0) > DOUBT_M ? doubt : sure;
        pen.lineWidth = gap ? 1.5 : 2.5;
        pen.stroke();
        pen.globalAlpha = 1;
        pen.setLineDash([]);
      }
      before = point;
    }
    this.doubt(pen, view, px);
    for (const point of this.points) {
      if (point.ms > this.until || point.thrown) continue;
      pen.fillStyle = point.ground ? view.colours("fence-broken") : sure;
      pen.beginPath();
      pen.arc(...px(point), point.ground ? 3.5 : 2, 0, 2 * Math.PI);
      pen.fill();
    }
    for (const mark of this.marks) {
      if (mark.ms > this.until) continue;
      pen.strokeStyle = view.colours("fence-broken");
      pen.lineWidth = 2.5;
      pen.beginPath();
      pen.arc(...px(mark), 9, 0, 2 * Math.PI);
      pen.stroke();
    }
    const here = this.now();
    if (!here) return;
    circle(pen, ...px(here), here.wide * view.scale, view);
    pen.beginPath();
    pen.arc(...px(here), 7, 0, 2 * Math.PI);
    pen.fillStyle = sure;
    pen.fill();
    pen.lineWidth = 2;
    pen.strokeStyle = view.colours("map-mark-edge");
    pen.stroke();
  }

  /** The circles of what was doubtful, as one shape, so that many of them do not add up to a dark blot. */
  doubt(pen, view, px) {
    pen.beginPath();
    for (const point of this.points) {
      const radius = point.wide * view.scale;
      if (point.ms > this.until || point.thrown || radius < 6 || !(point.ground || point.accuracy_m > DOUBT_M)) continue;
      const [x, y] = px(point);
      pen.moveTo(x + radius, y);
      pen.arc(x, y, radius, 0, 2 * Math.PI);
    }
    pen.fillStyle = view.colours("map-accuracy");
    pen.fill();
  }
}

function circle(pen, x, y, radius, view) {
  pen.beginPath();
  pen.arc(x, y, radius, 0, 2 * Math.PI);
  pen.fillStyle = view.colours("map-accuracy");
  pen.fill();
  pen.strokeStyle = view.colours("map-accuracy-line");
  pen.lineWidth = 1;
  pen.stroke();
}

function cross(pen, x, y, colour) {
  pen.strokeStyle = colour;
  pen.lineWidth = 1.5;
  pen.beginPath();
  pen.moveTo(x - 4, y - 4);
  pen.lineTo(x + 4, y + 4);
  pen.moveTo(x + 4, y - 4);
  pen.lineTo(x - 4, y + 4);
  pen.stroke();
}
