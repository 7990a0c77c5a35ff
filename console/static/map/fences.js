// Fences on the map: by rule (stay in, keep out) and by state (in force, not now, broken).

import { metre, worldX, worldY } from "./plane.js";

const SMALL_PX = 5;

/** The outline of a GeoJSON geometry in the world's square: {kind, parts, box, lat, buffer_m}. */
export function outline(geometry, buffer_m = 0) {
  const parts = [];
  const kind = geometry.type;
  if (kind === "Point") parts.push([flat([geometry.coordinates])]);
  else if (kind === "LineString") parts.push([flat(geometry.coordinates)]);
  else if (kind === "Polygon") parts.push(geometry.coordinates.map(flat));
  else if (kind === "MultiPolygon") parts.push(...geometry.coordinates.map((rings) => rings.map(flat)));
  let [west, north, east, south] = [Infinity, Infinity, -Infinity, -Infinity];
  let lat = 0;
  for (const part of parts)
    for (const line of part)
      for (let i = 0; i < line.length; i += 2) {
        west = Math.min(west, line[i]);
        east = Math.max(east, line[i]);
        north = Math.min(north, line[i + 1]);
        south = Math.max(south, line[i + 1]);
      }
  const first = firstPlace(geometry);
  if (first) lat = first[1];
  const wide = buffer_m * metre(lat);
  return { kind, parts, box: [west - wide, north - wide, east + wide, south + wide], wide };
}

function flat(coordinates) {
  const line = new Float64Array(coordinates.length * 2);
  coordinates.forEach(([lon, lat], i) => {
    line[2 * i] = worldX(lon);
    line[2 * i + 1] = worldY(lat);
  });
  return line;
}

/** Whether the fence itself is kept in another datum than the WGS 84 in which it is drawn: then its shape stays as it is. */
export const isShifted = (fence) => Boolean(fence.properties.stored);

/** The first [lon, lat] of a geometry. */
export function firstPlace(geometry) {
  let at = geometry.coordinates;
  while (Array.isArray(at?.[0])) at = at[0];
  return at;
}

/** All places of a geometry as {lat, lon}, with the reach of its buffer: to fit a view to. */
export function places(geometry, buffer_m = 0) {
  const found = [];
  const walk = (part) => (Array.isArray(part[0]) ? part.forEach(walk) : found.push({ lon: part[0], lat: part[1] }));
  walk(geometry.coordinates);
  if (!buffer_m) return found;
  const up = buffer_m / 111320;
  return found.flatMap(({ lat, lon }) => {
    const aside = up / Math.cos((lat * Math.PI) / 180);
    return [{ lat: lat - up, lon: lon - aside }, { lat: lat + up, lon: lon + aside }];
  });
}

export class FenceLayer {
  constructor() {
    this.items = [];
    this.chosen = null;
  }

  /** `fences`: GeoJSON Features. `stateOf(fence)`: "broken", "off" (no duty now) or "on". */
  set(fences, stateOf = () => "on") {
    this.items = fences.map((fence) => ({
      fence,
      id: fence.properties.fence_id,
      out: fence.properties.rule === "keep_out",
      state: stateOf(fence),
      ...outline(fence.geometry, fence.properties.buffer_m ?? 0),
    }));
  }

  /** Look at the states again. */
  restate(stateOf) {
    for (const item of this.items) item.state = stateOf(item.fence);
  }

  draw(pen, view) {
    const [west, north, east, south] = view.bounds(20);
    for (const item of this.items) {
      const [w, n, e, s] = item.box;
      if (e < west || w > east || s < north || n > south) continue;
      const chosen = item.id === this.chosen;
      const name = item.state === "broken" ? "fence-broken" : item.out ? "fence-out" : "fence-in";
      const colour = view.colours(name);
      if ((e - w) * view.scale < SMALL_PX && (s - n) * view.scale < SMALL_PX) {
        pen.fillStyle = colour;
        pen.globalAlpha = 0.6;
        pen.fillRect(view.sx((w + e) / 2) - 1.5, view.sy((n + s) / 2) - 1.5, 3, 3);
        pen.globalAlpha = 1;
        continue;
      }
      trace(pen, view, item);
      if (item.kind === "LineString") band(pen, view, item, colour);
      else {
        pen.globalAlpha = chosen ? 0.22 : item.state === "off" ? 0.04 : 0.1;
        pen.fillStyle = colour;
        pen.fill("evenodd");
        if (item.out && item.state !== "off") {
          pen.globalAlpha = 0.3;
          pen.fillStyle = hatch(pen, colour);
          pen.fill("evenodd");
        }
        pen.globalAlpha = 1;
      }
      pen.strokeStyle = colour;
      pen.lineWidth = chosen || item.state === "broken" ? 2.5 : 1.4;
      pen.setLineDash(item.state === "off" ? [4, 5] : []);
      pen.stroke();
      pen.setLineDash([]);
      if (item.wide && item.kind !== "Point" && item.kind !== "LineString") {
        pen.globalAlpha = 0.12; // the buffer around an area
        pen.lineWidth = 2 * item.wide * view.scale;
        pen.stroke();
        pen.globalAlpha = 1;
      }
    }
  }

  /** The smallest fence under a pixel. */
  hit(px, py, view) {
    const [x, y] = [view.x + (px - view.width / 2) / view.scale, view.y + (py - view.height / 2) / view.scale];
    let best = null;
    for (const item of this.items) {
      const [w, n, e, s] = item.box;
      if (x < w || x > e || y < n || y > s) continue;
      if (item.kind === "Point" && Math.hypot(x - item.parts[0][0][0], y - item.parts[0][0][1]) > item.wide) continue;
      if (item.kind.endsWith("Polygon") && !item.wide && !item.parts.some((rings) => within(rings, x, y))) continue;
      if (!best || (e - w) * (s - n) < (best.box[2] - best.box[0]) * (best.box[3] - best.box[1])) best = item;
    }
    return best && { kind: "fence", id: best.id, fence: best.fence };
  }
}

/** Even-odd, rings as flat arrays: for picking with the mouse only. */
function within(rings, x, y) {
  let inside = false;
  for (const ring of rings)
    for (let i = 0, j = ring.length - 2; i < ring.length; j = i, i += 2)
      if (ring[i + 1] > y !== ring[j + 1] > y && x < ((ring[j] - ring[i]) * (y - ring[i + 1])) / (ring[j + 1] - ring[i + 1]) + ring[i])
        inside = !inside;
  return inside;
}

export function trace(pen, view, item) {
  pen.beginPath();
  for (const rings of item.parts)
    for (const line of rings) {
      if (item.kind === "Point") {
        pen.arc(view.sx(line[0]), view.sy(line[1]), Math.max(2, item.wide * view.scale), 0, 2 * Math.PI);
        continue;
      }
      for (let i = 0; i < line.length; i += 2) {
        if (i) pen.lineTo(view.sx(line[i]), view.sy(line[i + 1]));
        else pen.moveTo(view.sx(line[0]), view.sy(line[1]));
      }
      if (item.kind !== "LineString") pen.closePath();
    }
}

function band(pen, view, item, colour) {
  pen.save();
  pen.lineCap = pen.lineJoin = "round";
  pen.globalAlpha = 0.15;
  pen.strokeStyle = colour;
  pen.lineWidth = Math.max(2, 2 * item.wide * view.scale);
  pen.stroke();
  pen.restore();
}

const hatches = new Map();

function hatch(pen, colour) {
  if (!hatches.has(colour)) {
    const tile = document.createElement("canvas");
    tile.width = tile.height = 8;
    const p = tile.getContext("2d");
    p.strokeStyle = colour;
    p.lineWidth = 1.2;
    p.beginPath();
    for (const shift of [-8, 0, 8]) {
      p.moveTo(shift, 8);
      p.lineTo(shift + 8, 0);
    }
    p.stroke();
    hatches.set(colour, pen.createPattern(tile, "repeat"));
  }
  return hatches.get(colour);
}
