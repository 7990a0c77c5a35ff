// What a person may and must, to be read; and what they were told.

import { stamp } from "../lib/clock.js";
import { el } from "../lib/dom.js";
import { t } from "../lib/words.js";

const RIGHTS = ["know", "contest", "human", "data", "help", "leave"];
const DUTIES = ["carry", "charge", "fences", "checkin", "tell"];

export function rightsTab() {
  const list = (title, keys, kind) =>
    el("section", { class: "panel" }, el("h2", {}, t(title)), el("ul", { class: "list" }, keys.map((key) => el("li", {}, t(`${kind}.${key}`)))));
  return el("div", { class: "stack" },
    list("rights.title", RIGHTS, "right"),
    list("duties.title", DUTIES, "must"),
    el("section", { class: "panel" }, el("h2", {}, t("place.why")), el("p", {}, t("place.why_text"))));
}

export function messagesTab(me) {
  const { messages = [] } = me.state;
  return messages.length
    ? el("ol", { class: "list panel" }, messages.map((message) =>
        el("li", {}, el("strong", {}, message.title), el("p", {}, message.body), el("p", { class: "soft small" }, stamp(message.at)))))
    : el("p", { class: "panel soft" }, t("messages.none"));
}
