// What a person may and must, to be read and confirmed; and what they were told.

import { stamp } from "../lib/clock.js";
import { el } from "../lib/dom.js";
import { say } from "../lib/notices.js";
import { t } from "../lib/words.js";

const RIGHTS = ["know", "contest", "human", "data", "help", "leave"];
const DUTIES = ["carry", "charge", "fences", "checkin", "tell"];

export function rightsTab(me) {
  const { version, read_at } = me.said.rights;
  const waits = me.outbox.waiting.some((letter) => letter.path === "/my/rights/read");
  const list = (title, keys, kind) =>
    el("section", { class: "panel" }, el("h2", {}, t(title)), el("ul", { class: "list" }, keys.map((key) => el("li", {}, t(`${kind}.${key}`)))));
  async function confirm() {
    await me.outbox.put("/my/rights/read", { version }, t("rights.about"));
    say(t(me.outbox.waiting.length ? "outbox.kept" : "outbox.sent"));
  }
  return el("div", { class: "stack" },
    el("h1", { class: "unseen" }, t("me.rights")),
    list("rights.title", RIGHTS, "right"),
    list("duties.title", DUTIES, "must"),
    el("section", { class: "panel" }, el("h2", {}, t("place.why")), el("p", {}, t("place.why_text"))),
    el("section", { class: "panel stack" },
      read_at
        ? el("p", { class: "good" }, t("rights.read", { when: stamp(read_at) }))
        : [el("p", {}, t("rights.please")), el("button", { class: "main big", disabled: waits, on: { click: confirm } }, t("rights.confirm"))]));
}

/** A link only where it leads somewhere a browser should go from a message. */
function link(address) {
  try {
    const found = new URL(address, window.location.href);
    return ["https:", "http:"].includes(found.protocol) ? found.href : null;
  } catch {
    return null;
  }
}

export function messagesTab(me) {
  const { messages = [] } = me.said.messages;
  const item = (message) => {
    const to = message.link && link(message.link);
    return el("li", { class: message.urgent ? "urgent" : "" },
      el("strong", {}, message.title),
      el("p", {}, message.body),
      to && el("p", {}, el("a", { href: to, rel: "noopener noreferrer" }, t("messages.link"))),
      el("p", { class: "soft small" }, stamp(message.at)));
  };
  return el("div", {}, el("h1", { class: "unseen" }, t("me.messages")), messages.length ? el("ol", { class: "list panel" }, messages.map(item)) : el("p", { class: "panel soft" }, t("messages.none")));
}
