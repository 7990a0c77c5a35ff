// The person's page: today, the score, leave, what they must and may, and messages. Made for a phone and a slow line.

import { BASE, del, get, onSignedOut, trust } from "../lib/api.js";
import { clockTime, stamp } from "../lib/clock.js";
import { el, fill } from "../lib/dom.js";
import { Live } from "../lib/live.js";
import { say } from "../lib/notices.js";
import { byLink, signIn, signInDialog } from "../lib/signin.js";
import { LANGUAGES, language, onLanguage, speak, t } from "../lib/words.js";
import { leaveTab } from "./leave.js";
import { Outbox } from "./outbox.js";
import { scoreTab } from "./score.js";
import { todayTab } from "./today.js";
import { messagesTab, rightsTab } from "./told.js";

const TABS = { today: todayTab, score: scoreTab, leave: leaveTab, rights: rightsTab, messages: messagesTab };
const SOURCES = { today: ["day"], score: ["score"], leave: ["day", "leaves"], rights: ["rights"], messages: ["messages"] };
const GATHER_MS = 500;
const KEPT = "me-as-of";

const app = document.getElementById("app");
const content = el("main", { class: "content", id: "main", tabindex: "0" });
const top = el("header", { class: "top" });
const tabs = el("nav", { class: "tabs" });

/** What the tabs share: who, what the server last said (by source) and when, what waits; `stay`: somebody is writing. */
const me = { session: null, said: {}, read_at: "", line: true, outbox: null, again: null, stay: false };

async function start() {
  if ("serviceWorker" in navigator) navigator.serviceWorker.register("/sw.js").catch(() => {});
  try {
    me.session = (await byLink()) ?? (await get("/me", { quiet: true }));
  } catch (error) {
    const kept = error.status === 401 ? null : remembered();
    if (kept) Object.assign(me, kept, { line: false });
    else if (error.status === 401) me.session = await signIn(app);
    else return fill(app, el("main", { class: "content" }, el("p", { class: "panel", role: "alert" }, error.message), el("button", { class: "main", on: { click: start } }, t("do.again"))));
  }
  if (me.session.role !== "subject") return window.location.replace("/desk");
  trust(me.session.csrf);
  onSignedOut(async () => trust((await signInDialog(me.session.principal)).csrf));
  me.outbox = new Outbox(me.session.principal);
  me.outbox.addEventListener("change", draw);
  me.outbox.addEventListener("refused", ({ detail }) => say(t("outbox.refused", { what: detail.letter.about, why: detail.why }), { bad: true }));
  me.outbox.addEventListener("sent", () => refresh());
  me.again = refresh;
  fill(app, top, content, tabs);
  window.addEventListener("hashchange", route);
  window.addEventListener("online", refresh);
  window.addEventListener("offline", () => ((me.line = false), draw()));
  document.addEventListener("visibilitychange", () => document.hidden || refresh());
  onLanguage(() => ((me.stay = false), draw()));
  await me.outbox.open().catch(() => {});
  follow();
  await route();
}

/** What the server says by itself; many things at once are asked for once. */
function follow() {
  const live = new Live(`${BASE}/events`);
  let soon = null;
  const gather = () => {
    soon ??= setTimeout(() => {
      soon = null;
      refresh();
    }, GATHER_MS);
  };
  for (const name of ["score", "leave", "message", "person", "fence", "again"]) live.addEventListener(name, gather);
  live.addEventListener("state", ({ detail }) => {
    if (detail === "live" && !me.line) gather();
    if (detail !== "lost") return;
    me.line = false;
    draw();
  });
}

/** What was last heard on this phone, for when there is no line; gone with the session. */
function remembered() {
  try {
    return JSON.parse(sessionStorage.getItem(KEPT));
  } catch {
    return null;
  }
}

async function refresh() {
  const wanted = SOURCES[here()];
  try {
    const found = await Promise.all(wanted.map((name) => get(`/my/${name}`)));
    wanted.forEach((name, i) => (me.said[name] = found[i]));
    me.read_at = new Date().toISOString();
    me.line = true;
    sessionStorage.setItem(KEPT, JSON.stringify({ session: me.session, said: me.said, read_at: me.read_at }));
  } catch (error) {
    if (error.status === 0) me.line = false;
    else say(error.message, { bad: true });
  }
  draw();
}

const here = () => {
  const name = window.location.hash.replace("#/", "");
  return name in TABS ? name : "today";
};

async function route() {
  me.stay = false;
  draw();
  content.scrollTop = 0;
  content.focus({ preventScroll: true });
  await refresh();
}

function draw() {
  if (!me.session) return;
  drawTop();
  const name = here();
  tabs.setAttribute("aria-label", t("nav.pages"));
  fill(tabs, Object.keys(TABS).map((tab) => el("a", { href: `#/${tab}`, "aria-current": tab === name && "page" }, t(`me.${tab}`))));
  if (me.stay) return; // somebody is writing, or before the camera
  const known = SOURCES[name].every((source) => me.said[source]);
  fill(content, strip(), known ? TABS[name](me) : el("p", { class: "panel soft", role: "status" }, t(me.line ? "me.reading" : "me.nothing_yet")));
}

function drawTop() {
  fill(
    top,
    el("strong", {}, "Fenceline"),
    LANGUAGES.filter((one) => one !== language()).map((one) => el("button", { class: "plain", lang: one, on: { click: () => speak(one) } }, t(`language.${one}`))),
    el("button", { class: "plain", on: { click: signOut } }, t("me.sign_out")),
  );
}

async function signOut() {
  if (me.outbox.waiting.length && !window.confirm(t("outbox.waiting_out", { n: me.outbox.waiting.length }))) return;
  const ended = await del("/session", { quiet: true }).then(
    () => true,
    (error) => error.status === 401 || void say(error.message, { bad: true }),
  );
  if (!ended) return;
  sessionStorage.removeItem(KEPT);
  window.location.reload();
}

/** What the person must know of the line: that there is none, and what waits to be sent. */
function strip() {
  const waiting = me.outbox.waiting;
  return [
    !me.line && el("p", { class: "panel queued", role: "status" }, t("me.no_line", { when: me.read_at ? stamp(me.read_at) : "–" })),
    waiting.length > 0 &&
      el("section", { class: "panel queued", role: "status" },
        el("h2", {}, t("outbox.waiting", { n: waiting.length })),
        el("ul", { class: "list" }, waiting.map((letter) => el("li", {}, letter.about, " ", el("span", { class: "soft small" }, clockTime(letter.written_at)))))),
  ];
}

start();
