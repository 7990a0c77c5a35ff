// Charts as SVG, a table beside each for those who do not see them, and their export as CSV and PNG.

import { el, svg } from "../lib/dom.js";
import { t } from "../lib/words.js";

const WIDE = 640;
const BAR_PX = 22;
const NAME_PX = 190;

/**
 * Bars, one a row. `rows`: [{name, value, text, parts}] where `parts` ([{kind, value}]) divides a bar;
 * `most`: what the full width stands for.
 */
export function bars(title, rows, { most, unit = "" } = {}) {
  const full = most ?? Math.max(1, ...rows.map((row) => row.value ?? 0));
  const high = Math.max(1, rows.length) * BAR_PX + 8;
  const space = WIDE - NAME_PX - 90;
  const picture = svg("svg", { viewBox: `0 0 ${WIDE} ${high}`, class: "chart", role: "img", "aria-label": title });
  rows.forEach((row, i) => {
    const y = i * BAR_PX + 4;
    picture.append(svg("text", { x: NAME_PX - 8, y: y + 13, class: "name", "text-anchor": "end" }, cut(row.name, 28)));
    let x = NAME_PX;
    for (const part of row.parts ?? [{ kind: row.kind ?? "plain", value: row.value ?? 0 }]) {
      const wide = (part.value / full) * space;
      if (wide > 0) picture.append(svg("rect", { x, y: y + 2, width: wide, height: BAR_PX - 8, class: `piece ${part.kind}` }));
      x += wide;
    }
    picture.append(svg("text", { x: x + 6, y: y + 13, class: "value" }, row.text ?? `${row.value}${unit}`));
  });
  const kinds = rows[0]?.parts?.map((part) => t(`chart.${part.kind}`)) ?? [];
  return frame(title, picture, rows.map((row) => [row.name, row.value ?? "", ...(row.parts ?? []).map((part) => part.value)]), ["", unit || title, ...kinds]);
}

const cut = (text, most) => (text.length > most ? `${text.slice(0, most - 1)}…` : text);

function frame(title, picture, rows, head) {
  const table = el(
    "table",
    { class: "unseen" },
    el("caption", {}, title),
    el("tr", {}, head.map((name) => el("th", { scope: "col" }, name))),
    rows.map((row) => el("tr", {}, row.map((cell) => el("td", {}, String(cell))))),
  );
  return el(
    "figure",
    { class: "figure" },
    el(
      "figcaption",
      {},
      el("h2", {}, title),
      rows.length > 0 && [
        el("button", { class: "plain small", "aria-label": `${title}: CSV`, on: { click: () => save(new Blob([csv([head, ...rows])], { type: "text/csv" }), `${title}.csv`) } }, "CSV"),
        el("button", { class: "plain small", "aria-label": `${title}: PNG`, on: { click: () => savePicture(picture, `${title}.png`) } }, "PNG"),
      ],
    ),
    rows.length ? picture : el("p", { class: "soft" }, t("overview.nothing")),
    table,
  );
}

/** RFC 4180, with a mark that tells spreadsheets that it is UTF-8; cells that would run as formulas are quoted. */
export function csv(rows) {
  const cell = (value) => {
    const text = typeof value === "string" && /^[=+\-@\t]/.test(value) ? `'${value}` : String(value);
    return /[",\n\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  };
  return `\ufeff${rows.map((row) => row.map(cell).join(",")).join("\r\n")}\r\n`;
}

/** Let the browser keep `blob` as a file called `name`. */
export function save(blob, name) {
  const address = URL.createObjectURL(blob);
  el("a", { href: address, download: name.replace(/[\\/:*?"<>|]/g, "-") }).click();
  setTimeout(() => URL.revokeObjectURL(address), 10_000);
}

const STYLED = ["fill", "stroke", "stroke-width", "font-size", "font-family", "font-weight", "opacity"];

async function savePicture(picture, name) {
  const copy = picture.cloneNode(true);
  const [from, to] = [[...picture.querySelectorAll("*")], [...copy.querySelectorAll("*")]];
  from.forEach((node, i) => {
    const style = getComputedStyle(node); // the copy stands alone, without the page's sheets
    for (const property of STYLED) to[i].setAttribute(property, style.getPropertyValue(property));
  });
  const [, , width, height] = picture.getAttribute("viewBox").split(" ").map(Number);
  copy.setAttribute("width", 2 * width);
  copy.setAttribute("height", 2 * height);
  copy.setAttribute("xmlns", "http://www.w3.org/2000/svg");
  const image = new Image();
  const data = new XMLSerializer().serializeToString(copy);
  image.src = `data:image/svg+xml;charset=utf-8,${encodeURIComponent(data)}`;
  await image.decode();
  const canvas = el("canvas", { width: 2 * width, height: 2 * height });
  const pen = canvas.getContext("2d");
  pen.fillStyle = getComputedStyle(document.documentElement).getPropertyValue("--panel");
  pen.fillRect(0, 0, canvas.width, canvas.height);
  pen.drawImage(image, 0, 0);
  canvas.toBlob((blob) => save(blob, name), "image/png");
}
