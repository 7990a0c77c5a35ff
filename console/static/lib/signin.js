// Signing in with a token; anew in a dialog when a session has ended, so that what was being written is not lost.

import { post } from "./api.js";
import { el, fill } from "./dom.js";
import { question } from "./notices.js";
import { LANGUAGES, language, speak, t } from "./words.js";

function field() {
  return el("label", {}, t("signin.token"), el("input", { name: "token", type: "password", autocomplete: "current-password", required: true, autofocus: true, spellcheck: "false" }));
}

const begin = (token) => post("/session", { token: token.trim() }, { quiet: true });

/** The session of a link `#in=<code>`, which holds once and for a short time; null when there is no such link, or it no longer holds. */
export async function byLink() {
  const code = /^#in=(.+)$/.exec(window.location.hash)?.[1];
  if (!code) return null;
  window.history.replaceState(null, "", window.location.pathname);
  return post("/session", { link: code }, { quiet: true }).catch(() => null);
}

/** The sign-in page in `box`; resolves with the session. */
export function signIn(box) {
  return new Promise((resolve) => {
    const draw = () => {
      const trouble = el("p", { class: "bad", role: "alert", hidden: true });
      const form = el(
        "form",
        {
          on: {
            submit: async (event) => {
              event.preventDefault();
              try {
                resolve(await begin(new FormData(form).get("token")));
              } catch (error) {
                trouble.textContent = error.status === 401 || error.status === 403 ? t("signin.wrong") : error.message;
                trouble.hidden = false;
              }
            },
          },
        },
        el("h1", {}, "Fenceline"),
        el("p", { class: "soft" }, t("signin.about")),
        field(),
        trouble,
        el("button", { class: "main", type: "submit" }, t("signin.go")),
        LANGUAGES.filter((one) => one !== language()).map((one) =>
          el("button", { class: "plain", type: "button", lang: one, on: { click: () => (speak(one), draw()) } }, t(`language.${one}`)),
        ),
      );
      fill(box, el("main", { class: "signin" }, form));
    };
    draw();
  });
}

/** The same in a dialog over what is being done, for whoever did it: another one must begin anew. */
export async function signInDialog(principal) {
  let session;
  while (!session)
    await question({
      title: t("signin.again", { who: principal }),
      body: [el("p", { class: "soft" }, t("signin.nothing_lost")), field()],
      main: t("signin.go"),
      send: async ({ token }) => {
        session = await begin(token).catch((error) => {
          throw error.status === 401 || error.status === 403 ? new Error(t("signin.wrong")) : error;
        });
      },
    });
  if (session.principal !== principal) {
    window.location.reload();
    await new Promise(() => {}); // what was being written was another's, and is not sent
  }
  return session;
}
