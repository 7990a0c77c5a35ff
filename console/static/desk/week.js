// A week as a grid of half hours: when a fence's duty holds. Drawn over with the mouse or set with the keys.

import { el, fill } from "../lib/dom.js";
import { t } from "../lib/words.js";

const CELLS = 48;
const minutes = (clock) => Number(clock.slice(0, 2)) * 60 + Number(clock.slice(3));
const clock = (cell) => `${String(Math.floor(cell / 2)).padStart(2, "0")}:${cell % 2 ? "30" : "00"}`;

/** The half hours of `windows` as seven rows of 48, and the windows that do not fall on half hours, as they are. */
export function cellsOf(windows) {
  const rows = Array.from({ length: 7 }, () => new Array(CELLS).fill(false));
  const odd = [];
  for (const window of windows) {
    const [start, end] = [minutes(window.start), minutes(window.end)];
    if (start % 30 || end % 30) {
      odd.push(window);
      continue;
    }
    for (const day of window.days ?? [0, 1, 2, 3, 4, 5, 6]) {
      const length = end > start ? end - start : end + 1440 - start;
      for (let at = start; at < start + length; at += 30) rows[(day + Math.floor(at / 1440)) % 7][(at % 1440) / 30] = true;
    }
  }
  return { rows, odd };
}

/** The windows that say the same as the grid; a run over midnight is one window of the day on which it starts. */
export function windowsOf(rows) {
  const runs = rows.map((row) => {
    const found = [];
    row.forEach((on, cell) => {
      if (on && !row[cell - 1]) found.push([cell, cell + 1]);
      else if (on) found.at(-1)[1] = cell + 1;
    });
    return found;
  });
  const taken = new Set();
  const byTimes = new Map();
  const add = (day, start, end) => {
    const key = `${start}-${end}`;
    byTimes.set(key, [...(byTimes.get(key) ?? []), day]);
  };
  runs.forEach((found, day) => {
    for (const run of found) {
      const after = runs[(day + 1) % 7][0];
      // joined only where the joined window is shorter than a day and the morning's run does not go on to the next night
      if (run[1] === CELLS && run[0] > 0 && after?.[0] === 0 && after[1] <= run[0]) {
        taken.add(after);
        run.over = after[1];
      }
    }
  });
  runs.forEach((found, day) => {
    for (const run of found) if (!taken.has(run)) add(day, clock(run[0]), run.over ? clock(run.over) : clock(run[1]));
  });
  return [...byTimes].map(([key, days]) => ({ start: key.slice(0, 5), end: key.slice(6), days: days.sort((a, b) => a - b) }));
}

/** The grid. `changed(windows)` is told after each stroke. */
export function weekGrid(windows, changed) {
  const { rows, odd } = cellsOf(windows);
  const cells = [];
  let paint = null;
  let kept = odd;
  const tell = () => changed([...windowsOf(rows), ...kept]);

  function set(day, cell, on) {
    rows[day][cell] = on;
    cells[day][cell].setAttribute("aria-selected", on);
  }

  function button(day, cell) {
    const name = `${t(`day.${day}`)} ${clock(cell)}`;
    return el("td", {
      role: "gridcell",
      tabindex: day === 0 && cell === 0 ? "0" : "-1",
      "aria-selected": rows[day][cell],
      "aria-label": name,
      title: name,
      data: { day, cell },
    });
  }

  const body = rows.map((row, day) => {
    cells[day] = row.map((_, cell) => button(day, cell));
    return el("tr", { role: "row" }, el("th", { scope: "row", role: "rowheader" }, t(`day.${day}`)), cells[day]);
  });
  const hours = Array.from({ length: 8 }, (_, i) => el("th", { scope: "col", role: "columnheader", colspan: 6 }, clock(i * 6)));
  const of = (event) => {
    const target = event.target.closest?.("td[data-cell]");
    return target ? [Number(target.dataset.day), Number(target.dataset.cell)] : null;
  };
  const table = el(
    "table",
    {
      class: "week",
      role: "grid",
      "aria-label": t("fence.week"),
      "aria-multiselectable": "true",
      on: {
        pointerdown: (event) => {
          const at = of(event);
          if (!at) return;
          event.preventDefault();
          paint = { from: at, on: !rows[at[0]][at[1]], before: rows.map((row) => [...row]) };
          set(...at, paint.on);
          cells[at[0]][at[1]].focus();
        },
        pointerover: (event) => {
          const at = paint && of(event);
          if (!at) return;
          const [top, low] = [Math.min(at[0], paint.from[0]), Math.max(at[0], paint.from[0])];
          const [left, right] = [Math.min(at[1], paint.from[1]), Math.max(at[1], paint.from[1])];
          rows.forEach((row, day) =>
            row.forEach((_, cell) =>
              set(day, cell, day >= top && day <= low && cell >= left && cell <= right ? paint.on : paint.before[day][cell]),
            ),
          );
        },
        keydown: (event) => {
          const at = of(event);
          if (!at) return;
          const step = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] }[event.key];
          if (step) {
            const next = cells[(at[0] + step[0] + 7) % 7][(at[1] + step[1] + CELLS) % CELLS];
            event.target.tabIndex = -1;
            next.tabIndex = 0;
            if (event.shiftKey) set(Number(next.dataset.day), Number(next.dataset.cell), rows[at[0]][at[1]]);
            next.focus();
            if (event.shiftKey) tell();
          } else if (event.key === " " || event.key === "Enter") {
            set(...at, !rows[at[0]][at[1]]);
            tell();
          } else return;
          event.preventDefault();
        },
      },
    },
    el("thead", {}, el("tr", { role: "row" }, el("td", {}), hours)),
    el("tbody", {}, body),
  );
  const end = () => {
    if (!paint) return;
    paint = null;
    tell();
    if (!table.isConnected) window.removeEventListener("pointerup", end);
  };
  window.addEventListener("pointerup", end);

  const others = el("ul", { class: "small" });
  const list = () =>
    fill(
      others,
      kept.map((window) =>
        el(
          "li",
          {},
          `${window.start}–${window.end} · ${(window.days ?? [0, 1, 2, 3, 4, 5, 6]).map((day) => t(`day.${day}`)).join(" ")} `,
          el("button", { class: "plain small", on: { click: () => { kept = kept.filter((one) => one !== window); list(); tell(); } } }, t("do.remove")),
        ),
      ),
    );
  list();
  return el("div", { class: "stack" }, table, others);
}
