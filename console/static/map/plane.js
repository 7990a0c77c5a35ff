// Where a degree is on the screen: Web Mercator, the plane that base map tiles are drawn in.
// The world is the square [0, 1] x [0, 1], x to the east, y to the south.

export const TILE_PX = 256;
const EARTH_M = 2 * Math.PI * 6378137; // the equator's length on the sphere of Web Mercator (EPSG:3857)
export const MOST_LAT = 85.0511;

export const worldX = (lon) => lon / 360 + 0.5;

export function worldY(lat) {
  const sine = Math.sin((Math.max(-MOST_LAT, Math.min(MOST_LAT, lat)) * Math.PI) / 180);
  return 0.5 - Math.log((1 + sine) / (1 - sine)) / (4 * Math.PI);
}

export const lonOf = (x) => (x - 0.5) * 360;
export const latOf = (y) => (Math.atan(Math.sinh(Math.PI * (1 - 2 * y))) * 180) / Math.PI;

/** How much of the world's width a metre is at `lat`. */
export const metre = (lat) => 1 / (EARTH_M * Math.cos((lat * Math.PI) / 180));

/** Metres between two places, on the sphere: for scale bars and sizes, not for judgements. */
export function distance_m(a, b) {
  const rad = Math.PI / 180;
  const h =
    Math.sin(((b.lat - a.lat) * rad) / 2) ** 2 +
    Math.cos(a.lat * rad) * Math.cos(b.lat * rad) * Math.sin(((b.lon - a.lon) * rad) / 2) ** 2;
  return 2 * 6371008.8 * Math.asin(Math.min(1, Math.sqrt(h)));
}
