// A map on a canvas: what is looked at, how hands and keys move it, and when it is drawn.
// What is drawn are layers, each an object with draw(pen, view) and perhaps hit(x, y, view) and busy.

import { latOf, lonOf, metre, TILE_PX, worldX, worldY } from "./plane.js";

const LEAST_ZOOM = 2;
const MOST_ZOOM = 20;
const KEY_STEP_PX = 120;
const TAP_PX = 6;

export class MapView extends EventTarget {
  /** Fills `box` with a canvas. `label`: what a screen reader calls it. Sends `pick` (with what was hit) and `move`. */
  constructor(box, { label, lat = 30.27, lon = 120.16, zoom = 12 } = {}) {
    super();
    this.box = box;
    this.canvas = document.createElement("canvas");
    this.canvas.className = "map-canvas";
    this.canvas.tabIndex = 0;
    this.canvas.setAttribute("role", "application");
    this.canvas.setAttribute("aria-label", label ?? "map");
    box.append(this.canvas);
    this.pen = this.canvas.getContext("2d", { alpha: false });
    this.layers = [];
    this.tool = null; // takes hands before the map does: tool.down(x, y, event) true to hold on to them
    this.x = worldX(lon);
    this.y = worldY(lat);
    this.zoom = zoom;
    this.frame_ms = []; // how long the last frames took to draw, for measuring
    this.drawing = false;
    this.sized = new ResizeObserver(() => this.resize());
    this.sized.observe(box);
    this.hands();
    this.resize();
  }

  /** Pixels across the whole world. */
  get scale() {
    return TILE_PX * 2 ** this.zoom;
  }

  /** How many pixels a metre is at the middle. */
  get px_per_m() {
    return this.scale * metre(latOf(this.y));
  }

  sx(x) {
    return (x - this.x) * this.scale + this.width / 2;
  }

  sy(y) {
    return (y - this.y) * this.scale + this.height / 2;
  }

  /** The place under a pixel. */
  at(px, py) {
    return {
      lat: latOf(this.y + (py - this.height / 2) / this.scale),
      lon: lonOf(this.x + (px - this.width / 2) / this.scale),
    };
  }

  /** The pixel over a place. */
  over(lat, lon) {
    return [this.sx(worldX(lon)), this.sy(worldY(lat))];
  }

  /** What is seen: [west, north, east, south] of the world's square, with a margin in pixels. */
  bounds(margin_px = 0) {
    const w = (this.width / 2 + margin_px) / this.scale;
    const h = (this.height / 2 + margin_px) / this.scale;
    return [this.x - w, this.y - h, this.x + w, this.y + h];
  }

  resize() {
    const { clientWidth, clientHeight } = this.box;
    if (!clientWidth || !clientHeight) return;
    this.width = clientWidth;
    this.height = clientHeight;
    this.ratio = Math.min(window.devicePixelRatio || 1, 2);
    this.canvas.width = Math.round(clientWidth * this.ratio);
    this.canvas.height = Math.round(clientHeight * this.ratio);
    this.redraw();
  }

  /** Draw at the next frame. */
  redraw() {
    if (this.drawing || !this.width) return;
    this.drawing = true;
    requestAnimationFrame(() => {
      this.drawing = false;
      this.draw();
    });
  }

  draw() {
    const began = performance.now();
    const style = getComputedStyle(this.canvas);
    const known = new Map(); // asking a style is slow, and layers ask for each mark
    this.colours = (name) => {
      if (!known.has(name)) known.set(name, style.getPropertyValue(`--${name}`).trim());
      return known.get(name);
    };
    this.pen.setTransform(this.ratio, 0, 0, this.ratio, 0, 0);
    this.pen.fillStyle = this.colours("map-ground");
    this.pen.fillRect(0, 0, this.width, this.height);
    for (const layer of this.layers) layer.draw(this.pen, this);
    this.frame_ms.push(performance.now() - began);
    if (this.frame_ms.length > 240) this.frame_ms.shift();
    if (this.layers.some((layer) => layer.busy)) this.redraw();
  }

  /** Look at a place. */
  look(lat, lon, zoom = this.zoom) {
    this.x = worldX(lon);
    this.y = worldY(lat);
    this.zoom = Math.max(LEAST_ZOOM, Math.min(MOST_ZOOM, zoom));
    this.moved();
  }

  /** Look at all of `places` ({lat, lon}), no nearer than `most` zoom. */
  fit(places, most = 17, margin_px = 60) {
    if (!places.length) return;
    const xs = places.map((p) => worldX(p.lon));
    const ys = places.map((p) => worldY(p.lat));
    const [west, east] = [Math.min(...xs), Math.max(...xs)];
    const [north, south] = [Math.min(...ys), Math.max(...ys)];
    this.x = (west + east) / 2;
    this.y = (north + south) / 2;
    const wide = Math.max((east - west) / Math.max(this.width - 2 * margin_px, 50), (south - north) / Math.max(this.height - 2 * margin_px, 50));
    this.zoom = Math.max(LEAST_ZOOM, Math.min(most, wide ? Math.log2(1 / (wide * TILE_PX)) : most));
    this.moved();
  }

  /** Zoom by `step` with the pixel (px, py) staying where it is. */
  zoomBy(step, px = this.width / 2, py = this.height / 2) {
    const zoom = Math.max(LEAST_ZOOM, Math.min(MOST_ZOOM, this.zoom + step));
    const wx = this.x + (px - this.width / 2) / this.scale;
    const wy = this.y + (py - this.height / 2) / this.scale;
    this.zoom = zoom;
    this.x = wx - (px - this.width / 2) / this.scale;
    this.y = wy - (py - this.height / 2) / this.scale;
    this.moved();
  }

  pan(dx_px, dy_px) {
    this.x -= dx_px / this.scale;
    this.y = Math.max(0, Math.min(1, this.y - dy_px / this.scale));
    this.moved();
  }

  moved() {
    this.dispatchEvent(new Event("move"));
    this.redraw();
  }

  /** What the topmost layer that answers has at a pixel. */
  hit(px, py) {
    for (const layer of [...this.layers].reverse()) {
      const found = layer.hit?.(px, py, this);
      if (found) return found;
    }
    return null;
  }

  hands() {
    const fingers = new Map();
    let start = null;
    let pinch = null;
    const spot = (event) => {
      const box = this.canvas.getBoundingClientRect();
      return [event.clientX - box.left, event.clientY - box.top];
    };
    const on = (name, listener, options) => this.canvas.addEventListener(name, listener, options);

    on("pointerdown", (event) => {
      if (event.button > 0) return;
      const [px, py] = spot(event);
      this.canvas.setPointerCapture(event.pointerId);
      fingers.set(event.pointerId, [px, py]);
      if (fingers.size === 1) start = { px, py, tool: this.tool?.down?.(px, py, event) ?? false, moved: false };
      if (fingers.size === 2) pinch = spread(fingers);
    });
    on("pointermove", (event) => {
      const [px, py] = spot(event);
      const before = fingers.get(event.pointerId);
      if (!before) {
        this.tool?.hover?.(px, py);
        this.canvas.classList.toggle("over", !this.tool && Boolean(this.hit(px, py)));
        return;
      }
      fingers.set(event.pointerId, [px, py]);
      if (fingers.size === 2 && pinch) {
        const next = spread(fingers);
        this.zoomBy(Math.log2(next.wide / pinch.wide), next.px, next.py);
        this.pan(next.px - pinch.px, next.py - pinch.py);
        pinch = next;
        start = null;
        return;
      }
      if (!start) return;
      if (Math.hypot(px - start.px, py - start.py) > TAP_PX) start.moved = true;
      if (start.tool) this.tool?.drag?.(px, py, event);
      else if (start.moved) this.pan(px - before[0], py - before[1]);
    });
    const up = (event) => {
      const [px, py] = spot(event);
      if (!fingers.delete(event.pointerId)) return;
      pinch = null;
      if (start && event.type === "pointerup") {
        if (start.tool) this.tool?.up?.(px, py, event);
        else if (!start.moved && !(this.tool?.tap?.(px, py, event) ?? false))
          this.dispatchEvent(new CustomEvent("pick", { detail: this.hit(px, py) }));
      }
      start = null;
    };
    on("pointerup", up);
    on("pointercancel", up);
    on("dblclick", (event) => {
      const [px, py] = spot(event);
      if (!(this.tool?.double?.(px, py) ?? false)) this.zoomBy(1, px, py);
    });
    on(
      "wheel",
      (event) => {
        event.preventDefault();
        const notch = event.deltaMode === 1 ? 16 : 1;
        this.zoomBy(Math.max(-1, Math.min(1, (-event.deltaY * notch) / 240)), ...spot(event));
      },
      { passive: false },
    );
    on("keydown", (event) => {
      const move = { ArrowLeft: [1, 0], ArrowRight: [-1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] }[event.key];
      if (event.ctrlKey || event.metaKey || event.altKey) return;
      if (move) this.pan(move[0] * KEY_STEP_PX, move[1] * KEY_STEP_PX);
      else if (event.key === "+" || event.key === "=") this.zoomBy(0.5);
      else if (event.key === "-") this.zoomBy(-0.5);
      else return;
      event.preventDefault();
      event.stopPropagation();
    });
  }

  close() {
    this.sized.disconnect();
    this.canvas.remove();
  }
}

function spread(fingers) {
  const [[ax, ay], [bx, by]] = [...fingers.values()];
  return { px: (ax + bx) / 2, py: (ay + by) / 2, wide: Math.max(10, Math.hypot(ax - bx, ay - by)) };
}
