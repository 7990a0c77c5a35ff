// Short messages in a corner, and questions in a dialog.

import { el } from "./dom.js";
import { t } from "./words.js";

const SHOWN_MS = 6000;

/** Say something for some seconds. Bad news stays until it is put away. */
export function say(text, { bad = false, action } = {}) {
  const corner = document.getElementById("notices");
  const note = el("div", { class: bad ? "notice bad-news" : "notice" }, el("span", {}, text));
  if (action) note.append(" ", el("button", { class: "plain small", on: { click: () => (note.remove(), action.run()) } }, action.name));
  if (bad) note.append(" ", el("button", { class: "plain small", on: { click: () => note.remove() } }, t("do.close")));
  corner.append(note);
  while (corner.children.length > 4) corner.firstElementChild.remove();
  if (!bad) setTimeout(() => note.remove(), SHOWN_MS);
  return note;
}

/**
 * A dialog with a form. `body`: nodes with named fields; `send(values)` may throw: what it says is shown and nothing that
 * was written is lost. Resolves with true when sent, false when put away.
 */
export function question({ title, body, main, send, danger = false }) {
  return new Promise((resolve) => {
    const trouble = el("p", { class: "bad", role: "alert", hidden: true });
    let warned = false;
    const go = el("button", { class: danger ? "main danger" : "main", type: "submit" }, main);
    const form = el(
      "form",
      {
        on: {
          submit: async (event) => {
            event.preventDefault();
            go.disabled = true;
            trouble.hidden = true;
            try {
              await send(Object.fromEntries([...new FormData(form)].filter(([, value]) => value !== "")));
              dialog.close("sent");
            } catch (error) {
              trouble.textContent = error.message;
              trouble.hidden = false;
            } finally {
              go.disabled = false;
            }
          },
        },
      },
      el("h2", { id: "question-title" }, title),
      body,
      trouble,
      el("div", { class: "buttons" }, el("button", { type: "button", on: { click: () => dialog.close() } }, t("do.cancel")), go),
    );
    const dialog = el(
      "dialog",
      {
        "aria-labelledby": "question-title",
        on: {
          cancel: (event) => {
            const written = [...form.querySelectorAll("textarea, input")].some((field) => field.value !== field.defaultValue);
            if (!written || warned) return;
            event.preventDefault(); // Escape, pressed by mistake over what took minutes to write
            warned = true;
            trouble.textContent = t("do.discard");
            trouble.hidden = false;
          },
          close: () => {
            dialog.remove();
            resolve(dialog.returnValue === "sent");
          },
        },
      },
      form,
    );
    document.body.append(dialog);
    dialog.showModal();
  });
}
