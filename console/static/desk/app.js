// The desk's shell: sign-in, the bar on top, and which page is shown. Pages beside the desk are loaded when first asked for.

import { del, get, onSignedOut, trust } from "../lib/api.js";
import { length } from "../lib/clock.js";
import { el, fill } from "../lib/dom.js";
import { say } from "../lib/notices.js";
import { byLink, signIn, signInDialog } from "../lib/signin.js";
import { LANGUAGES, language, onLanguage, speak, t } from "../lib/words.js";
import { Alarm } from "./alarm.js";
import { deskPage } from "./deskpage.js";
import { help, listenToKeys } from "./keys.js";
import { Store } from "./store.js";

const STAFF = ["officer", "supervisor", "agency"];
const PAGES = {
  desk: { make: async () => deskPage, roles: STAFF },
  person: { make: async () => (await import("./card.js")).cardPage, roles: STAFF, hidden: true },
  fences: { make: async () => (await import("./fencespage.js")).fencesPage },
  tasks: { make: async () => (await import("./taskspage.js")).tasksPage, roles: STAFF },
  overview: { make: async () => (await import("./overview.js")).overviewPage, roles: ["supervisor", "agency", "analyst"] },
};

const app = document.getElementById("app");
let store = null;
let alarm = null;
let shown = { name: "", close: () => {} };
let bar = null;

async function start() {
  let session;
  try {
    session = (await byLink()) ?? (await get("/me", { quiet: true }));
  } catch (error) {
    if (error.status !== 401) {
      fill(app, el("main", { class: "signin" }, el("div", { class: "panel stack" }, el("p", { role: "alert" }, error.message), el("button", { class: "main", on: { click: start } }, t("do.again")))));
      return;
    }
    session = await signIn(app);
  }
  if (session.role === "subject") return window.location.replace("/me");
  trust(session.csrf);
  onSignedOut(async () => trust((await signInDialog(session.principal)).csrf));
  store = new Store(session);
  drawFrame();
  await store.open().catch((error) => say(error.message, { bad: true }));
  alarm = new Alarm(store, (alert) => {
    window.location.hash = "#/desk";
    shown.choose?.(alert.alert_id);
  });
  for (const what of ["alerts", "tasks", "live"]) store.addEventListener(what, drawBar);
  setInterval(drawBar, 15_000);
  window.addEventListener("hashchange", route);
  onLanguage(() => {
    drawFrame();
    route();
  });
  listenToKeys(() => shown);
  drawBar();
  route();
}

function drawFrame() {
  bar = el("header", { class: "bar" });
  fill(app, bar, el("main", { id: "main", class: "page" }));
  shown.close();
  shown = { name: "", close: () => {} };
  drawBar();
}

function drawBar() {
  const [name] = here();
  const waiting = [...store.alerts.values()].filter((alert) => alert.state === "open").length;
  document.title = waiting ? `(${waiting}) Fenceline` : "Fenceline";
  const live = store.live?.state ?? "connecting";
  const lost_s = (Date.now() - (store.live?.since_ms ?? Date.now())) / 1000;
  const said = live === "lost" ? t("live.lost", { since: length(lost_s) }) : t(`live.${live}`);
  const print = JSON.stringify([name, waiting, live, said, alarm?.on, document.documentElement.dataset.theme, language()]);
  if (bar.dataset.print === print) return; // a screen reader would read it all again
  bar.dataset.print = print;
  const focused = document.activeElement?.dataset?.bar;
  fill(
    bar,
    el("span", { class: "mark" }, el("img", { src: "/static/icons/icon.svg", alt: "" }), "Fenceline"),
    el(
      "nav",
      { "aria-label": t("nav.pages") },
      Object.entries(PAGES)
        .filter(([, page]) => !page.hidden && open(page))
        .map(([page]) =>
          el(
            "a",
            { href: `#/${page}`, "aria-current": page === name && "page", data: { bar: page } },
            t(`nav.${page}`),
            page === "desk" && waiting > 0 && el("span", { class: "count" }, waiting),
          ),
        ),
    ),
    el("span", { class: `live ${live}`, role: "status" }, said),
    el(
      "button",
      { class: "plain", data: { bar: "alarm" }, "aria-pressed": Boolean(alarm?.on), on: { click: () => alarm?.turn(!alarm.on).then(drawBar) } },
      alarm?.on ? t("bar.alarm_on") : t("bar.alarm_off"),
    ),
    LANGUAGES.filter((one) => one !== language()).map((one) =>
      el("button", { class: "plain", lang: one, data: { bar: "language" }, on: { click: () => speak(one) } }, t(`language.${one}`)),
    ),
    el("button", { class: "plain", data: { bar: "theme" }, on: { click: turnTheme } }, document.documentElement.dataset.theme === "dark" ? t("bar.light") : t("bar.dark")),
    el("button", { class: "plain", data: { bar: "out" }, title: `${store.session.principal} · ${store.session.role} · ${store.session.agency}`, on: { click: signOut } }, t("bar.sign_out", { who: store.session.principal })),
  );
  if (focused) bar.querySelector(`[data-bar="${focused}"]`)?.focus();
}

function turnTheme() {
  localStorage.setItem("theme", document.documentElement.dataset.theme === "dark" ? "light" : "dark");
  document.dispatchEvent(new Event("theme-chosen"));
  drawBar();
}

async function signOut() {
  const ended = await del("/session", { quiet: true }).then(
    () => true,
    (error) => error.status === 401 || void say(error.message, { bad: true }),
  );
  if (ended) window.location.reload();
}

const open = (page) => !page.roles || page.roles.includes(store.session.role);

function plain(part) {
  try {
    return decodeURIComponent(part);
  } catch {
    return part; // typed by hand
  }
}

/** [page, ...parts] of the address. */
function here() {
  const [name, ...rest] = window.location.hash.replace(/^#\//, "").split("/").map(plain);
  if (name in PAGES && open(PAGES[name])) return [name, ...rest];
  return [Object.keys(PAGES).find((page) => open(PAGES[page]) && !PAGES[page].hidden)];
}

async function route() {
  const [name, ...rest] = here();
  shown.close();
  shown = { name, close: () => {} };
  const box = el("main", { id: "main", class: "page", tabindex: "-1" });
  app.querySelector("main").replaceWith(box);
  drawBar();
  try {
    const make = await PAGES[name].make();
    if (shown.name !== name || !box.isConnected) return;
    const page = await make(box, store, ...rest);
    if (box.isConnected) shown = { name, close: () => {}, ...page };
    else page?.close?.();
  } catch (error) {
    fill(box, el("p", { class: "bad" }, error.message), el("button", { on: { click: route } }, t("do.again")));
  }
}

document.addEventListener("ask-help", () => help());
start();
