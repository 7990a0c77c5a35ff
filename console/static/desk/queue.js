// The queue of alerts: worst and oldest first, those that nobody has before those that somebody has; a person's alerts
// stand together. By mouse and by keys.

import { age, clockTime, now, stamp } from "../lib/clock.js";
import { el, fill, reconcile } from "../lib/dom.js";
import { language, t, word } from "../lib/words.js";
import { KEY_OF, offered } from "./alertacts.js";

const FRESH_MOST = 4;
const WEIGHT = { critical: 3, high: 2, medium: 1, low: 0 };
const SECTIONS = ["open", "acknowledged", "wearer"];

/** Alerts that wait for someone, in the order in which they should be looked at, as [section, alerts] pairs. */
export function ordered(alerts) {
  const sections = new Map(SECTIONS.map((name) => [name, []]));
  for (const alert of alerts) sections.get(alert.state)?.push(alert);
  const worse = (a, b) => WEIGHT[b.severity] - WEIGHT[a.severity] || a.raised_at.localeCompare(b.raised_at) || a.alert_id.localeCompare(b.alert_id);
  for (const [name, found] of sections) {
    found.sort(worse);
    const groups = new Map(); // a person's alerts stand with the worst of them
    for (const alert of found) groups.set(alert.subject_id, [...(groups.get(alert.subject_id) ?? []), alert]);
    sections.set(name, [...groups.values()].flat());
  }
  return [...sections].filter(([, found]) => found.length);
}

export class Queue extends EventTarget {
  /** In `box`, from `store`. Sends `chosen` (detail: the alert or null) and `act` (detail: {what, alert}). */
  constructor(box, store) {
    super();
    this.store = store;
    this.chosen = null;
    this.head = el("h1", { id: "queue-title" });
    this.hint = el("button", { class: "plain small", on: { click: () => this.send("help") } });
    this.list = el("div", { class: "queue-list" });
    this.fresh = el("ul", { class: "queue-fresh", "aria-label": t("queue.fresh"), "aria-live": "assertive" });
    this.empty = el("p", { class: "queue-empty soft" });
    this.more = el("p", { class: "queue-more soft small" });
    fill(box, el("header", { class: "queue-head" }, this.head, this.hint), this.fresh, this.empty, this.list, this.more);
    this.ticking = setInterval(() => this.tick(), 1000);
    this.draw();
  }

  draw() {
    const sections = ordered(this.store.alerts.values());
    const waiting = sections.find(([name]) => name === "open")?.[1].length ?? 0;
    this.head.textContent = waiting ? t("queue.waiting", { n: waiting }) : t("queue.none_waiting");
    fill(this.hint, el("kbd", {}, "?"), ` ${t("queue.keys")}`);
    this.hint.title = t("queue.keys");
    const fresh = [...this.store.fresh.values()];
    reconcile(this.fresh, fresh.slice(0, FRESH_MOST), (one) => one.subject_id, () => el("li"), (node, one) => {
      if (node.dataset.language === language()) return;
      node.dataset.language = language();
      fill(node, `${t("queue.just_now")} `, el("a", { href: `#/person/${encodeURIComponent(one.subject_id)}` }, one.subject_id), `, ${t("incident.breach.opened")}`);
    });
    if (fresh.length > FRESH_MOST) this.fresh.append(el("li", { data: { key: "more" } }, t("queue.fresh_more", { n: fresh.length - FRESH_MOST })));
    this.more.hidden = !this.store.more;
    this.more.textContent = t("queue.more", { n: this.store.more });
    this.rows = sections.flatMap(([name, alerts]) => [
      { key: `section-${name}`, section: name, n: alerts.length },
      ...alerts.map((alert, i) => ({ key: alert.alert_id, alert, same: alerts[i - 1]?.subject_id === alert.subject_id })),
    ]);
    if (this.chosen && !this.store.alerts.has(this.chosen)) this.choose(null);
    reconcile(this.list, this.rows, (row) => row.key, (row) => this.make(row), (node, row) => this.update(node, row));
    this.empty.hidden = this.rows.length + this.store.fresh.size > 0;
    this.empty.textContent = t("queue.empty");
  }

  make(row) {
    if (row.section) return el("h2", { class: "queue-section" });
    const id = row.alert.alert_id;
    return el("article", {
      class: "alert",
      tabindex: "0",
      "aria-labelledby": `alert-${id}`,
      on: {
        click: () => this.choose(id),
        focus: () => this.choose(id, false),
      },
    });
  }

  update(node, row) {
    if (row.section) {
      node.textContent = `${t(`queue.${row.section}`)} · ${row.n}`;
      return;
    }
    const alert = row.alert;
    const chosen = alert.alert_id === this.chosen;
    const print = JSON.stringify([alert.change_id, alert.seq, chosen, row.same, language(), this.store.busy.has(alert.alert_id)]);
    if (node.dataset.print === print) return;
    node.dataset.print = print;
    const focused = node.contains(document.activeElement) && node !== document.activeElement;
    node.className = `alert ${alert.severity}${chosen ? " chosen" : ""}${row.same ? " same" : ""}${alert.ended_at ? " over" : ""}`;
    fill(
      node,
      el(
        "div",
        { class: "alert-head", id: `alert-${alert.alert_id}` },
        el("span", { class: "severity" }, t(`severity.${alert.severity}`)),
        el("strong", {}, word(`rule.${alert.rule}`, alert.rule)),
        alert.count > 1 && el("span", { class: "soft" }, `×${alert.count}`),
        el("time", { class: "age", datetime: alert.raised_at, title: stamp(alert.raised_at), data: { since: alert.raised_at } }, age(alert.raised_at)),
      ),
      el("p", { class: "sentence" }, this.store.sentence(alert)),
      el("p", { class: "alert-state small soft" }, this.state(alert)),
      chosen && this.actions(alert),
    );
    if (focused) node.focus({ preventScroll: true }); // the button that had it is gone: the keys still mean this alert
  }

  state(alert) {
    const parts = [];
    if (alert.state === "acknowledged")
      parts.push(t("queue.has_it", { who: alert.acknowledged_by === this.store.session.principal ? t("queue.you") : alert.acknowledged_by, when: clockTime(alert.acknowledged_at) }));
    else if (alert.state === "wearer") parts.push(t("queue.wearer_told"));
    else parts.push(t("queue.nobody"));
    if (alert.ended_at) parts.push(t("queue.over", { when: clockTime(alert.ended_at) }));
    else if (alert.state === "open" && alert.escalates_at && Date.parse(alert.escalates_at) > now())
      parts.push(t("queue.escalates", { when: clockTime(alert.escalates_at) }));
    if (alert.level) parts.push(t("queue.level", { n: alert.level }));
    if (alert.late) parts.push(t("queue.late"));
    if (alert.attributable === false) parts.push(t("queue.not_attributable"));
    return parts.join(" · ");
  }

  actions(alert) {
    const make = (what, key, main = false) =>
      el(
        "button",
        { class: main ? "main" : "", disabled: this.store.busy.has(alert.alert_id), "aria-keyshortcuts": key, on: { click: (event) => (event.stopPropagation(), this.send("act", { what, alert })) } },
        t(`alert.${what}`),
        " ",
        el("kbd", { "aria-hidden": "true" }, key),
      );
    return el(
      "div",
      { class: "alert-actions" },
      offered(alert, this.store).map((what, i) => make(what, KEY_OF[what], i === 0)),
    );
  }

  /** The alert that is chosen, or null. */
  get alert() {
    return this.store.alerts.get(this.chosen) ?? null;
  }

  choose(id, focus = true) {
    if (id !== this.chosen) {
      this.chosen = id;
      this.draw();
      this.send("chosen", this.alert);
    }
    const node = id && [...this.list.children].find((one) => one.dataset.key === id);
    if (node && focus && !node.contains(document.activeElement)) node.focus({ preventScroll: true });
    node?.scrollIntoView?.({ block: "nearest" });
  }

  /** The next alert below (1) or above (-1). */
  step(by) {
    const ids = this.rows.filter((row) => row.alert).map((row) => row.key);
    if (!ids.length) return;
    const at = ids.indexOf(this.chosen);
    this.choose(ids[at < 0 ? (by > 0 ? 0 : ids.length - 1) : Math.max(0, Math.min(ids.length - 1, at + by))]);
  }

  tick() {
    for (const node of this.list.querySelectorAll("[data-since]")) {
      const text = age(node.dataset.since);
      if (node.textContent !== text) node.textContent = text;
    }
  }

  send(name, detail) {
    this.dispatchEvent(new CustomEvent(name, { detail }));
  }

  close() {
    clearInterval(this.ticking);
  }
}
