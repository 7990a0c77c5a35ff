// Fences from files: GeoJSON (RFC 7946) and KML. What cannot be used is named, the rest is taken.

const MOST_BYTES = 8 * 1024 * 1024;
const MOST_SHAPES = 2000;
const KINDS = new Set(["Point", "LineString", "Polygon", "MultiPolygon"]);

/** A file that cannot be used; `key` names the text that says why, `values` what it says. */
export class Unusable extends Error {
  constructor(key, values = {}) {
    super(key);
    this.key = key;
    this.values = values;
  }
}

/**
 * The shapes in a file: {shapes: [{name, geometry, properties}], left_out: [{name, kind}]}.
 *
 * Throws Unusable: too large, neither GeoJSON nor KML, or nothing in it that can be a fence.
 */
export async function read(file) {
  if (file.size > MOST_BYTES)
    throw new Unusable("import.too_large", { size: Math.ceil(file.size / 1048576), most: MOST_BYTES / 1048576 });
  const text = await file.text();
  const found = /^\s*[{[]/.test(text) ? geojson(text) : kml(text);
  if (found.shapes.length > MOST_SHAPES) throw new Unusable("import.too_many", { n: found.shapes.length, most: MOST_SHAPES });
  if (!found.shapes.length) throw new Unusable("import.nothing");
  return found;
}

function geojson(text) {
  let data;
  try {
    data = JSON.parse(text);
  } catch (error) {
    throw new Unusable("import.not_json", { why: error.message });
  }
  const features = data.type === "FeatureCollection" ? data.features : data.type === "Feature" ? [data] : [{ geometry: data }];
  if (!Array.isArray(features)) throw new Unusable("import.not_geojson");
  const shapes = [];
  const left_out = [];
  features.forEach((feature, i) => {
    const name = String(feature?.properties?.name ?? feature?.id ?? `#${i + 1}`);
    const geometry = feature?.geometry;
    if (KINDS.has(geometry?.type) && numbers(geometry.coordinates)) shapes.push({ name, geometry, properties: feature.properties ?? {} });
    else left_out.push({ name, kind: geometry?.type ?? "–" });
  });
  return { shapes, left_out };
}

function numbers(part) {
  if (!Array.isArray(part) || !part.length) return false;
  if (typeof part[0] === "number") return part.length >= 2 && Math.abs(part[0]) <= 180 && Math.abs(part[1]) <= 90;
  return part.every(numbers);
}

function kml(text) {
  const document = new DOMParser().parseFromString(text, "application/xml");
  if (document.querySelector("parsererror") || !document.querySelector("kml, Placemark")) throw new Unusable("import.not_geojson");
  const shapes = [];
  const left_out = [];
  for (const placemark of document.querySelectorAll("Placemark")) {
    const name = placemark.querySelector(":scope > name")?.textContent.trim() || `#${shapes.length + left_out.length + 1}`;
    const found = [...placemark.querySelectorAll("Polygon, LineString, Point")].map(shape).filter(Boolean);
    if (!found.length) left_out.push({ name, kind: "–" });
    const areas = found.filter((one) => one.type === "Polygon");
    if (areas.length > 1)
      shapes.push({ name, geometry: { type: "MultiPolygon", coordinates: areas.map((one) => one.coordinates) }, properties: {} });
    else for (const geometry of found) shapes.push({ name, geometry, properties: {} });
  }
  return { shapes, left_out };
}

function shape(node) {
  const ring = (holder) =>
    (holder?.querySelector("coordinates")?.textContent ?? "")
      .trim()
      .split(/\s+/)
      .map((triple) => triple.split(",").slice(0, 2).map(Number));
  let coordinates;
  if (node.tagName === "Polygon")
    coordinates = [...node.querySelectorAll("outerBoundaryIs, innerBoundaryIs")].map(ring);
  else coordinates = node.tagName === "Point" ? ring(node)[0] : ring(node);
  return numbers(coordinates) ? { type: node.tagName, coordinates } : null;
}
