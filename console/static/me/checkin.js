// A check-in from its first word to its outcome: told what it is, camera and place, sent, looked at.

import { ask, csrfToken, newId, Refused, signedOut } from "../lib/api.js";
import { clockTime, now } from "../lib/clock.js";
import { el, fill } from "../lib/dom.js";
import { language, t, word } from "../lib/words.js";
import { closeCamera, NoCamera, openCamera, place, record } from "./camera.js";

const AGAIN_MS = 2_000;
const LOOK_MS = 1_500;
const LOOK_FOR_MS = 90_000;
const UPLOAD_PATIENCE_MS = 120_000;
const TYPES = "image/jpeg,image/png,video/mp4,video/webm";

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** Lead the person through a check-in in `box`, which is drawn anew when it is over. */
export function checkin(me, box) {
  const base = me.session.settings?.checkins || "/v1/checkins";
  const stop = new AbortController();
  let stream = null;
  me.stay = true;

  const frame = (...children) => fill(box, el("section", { class: "panel stack checkin", "aria-label": t("checkin.title") }, el("h1", {}, t("checkin.title")), children));
  const back = (key = "do.back") => el("button", { class: "big", on: { click: leave } }, t(key));

  function leave() {
    stop.abort();
    closeCamera(stream);
    window.removeEventListener("hashchange", leave);
    me.stay = false;
    me.again();
  }
  window.addEventListener("hashchange", leave);

  function intro() {
    frame(
      el("ol", { class: "numbered" }, ["light", "prompts", "place"].map((step) => el("li", {}, t(`checkin.step.${step}`)))),
      el("p", { class: "soft small" }, t("checkin.kept")),
      el("button", { class: "main big", on: { click: byCamera } }, t("checkin.camera")),
      el("button", { class: "big", on: { click: () => byFile() } }, t("checkin.upload_instead")),
      back("do.cancel"),
    );
    box.querySelector("button").focus();
  }

  /** A challenge of the server: {nonce, prompts, expires_at}. */
  const challenge = () => ask("POST", `${base}/challenges`, {}, { headers: { "Idempotency-Key": newId() } });

  async function byCamera() {
    frame(el("p", { role: "status" }, t("checkin.asking")), back("do.cancel"));
    try {
      const where = place();
      stream = await openCamera();
      const given = await challenge();
      const stage = el("div", { class: "stage" });
      frame(stage, back("do.cancel"));
      const clip = await record(stream, given.prompts ?? [], stage, stop.signal);
      closeCamera(stream);
      await deliver(given, [clip], await where);
    } catch (error) {
      closeCamera(stream);
      if (stop.signal.aborted) return;
      if (error instanceof NoCamera) noCamera(error.key);
      else failed(error.message);
    }
  }

  function noCamera(key) {
    frame(el("p", { class: "bad", role: "alert" }, t(key)), el("p", {}, t("camera.how_to_allow")),
      el("button", { class: "main big", on: { click: () => byFile() } }, t("checkin.upload")),
      el("button", { class: "big", on: { click: byCamera } }, t("do.again")), back("do.cancel"));
  }

  /** Without the page's camera: pictures or a clip that the phone's own camera took. The prompts are told before. */
  async function byFile() {
    frame(el("p", { role: "status" }, t("checkin.asking")), back("do.cancel"));
    try {
      const where = place();
      const given = await challenge();
      const file = el("input", { type: "file", accept: TYPES, capture: "user", multiple: true, "aria-label": t("checkin.upload") });
      const chosen = async () => {
        if (!file.files.length) return;
        try {
          await deliver(given, [...file.files], await where);
        } catch (error) {
          if (!stop.signal.aborted) failed(error.message);
        }
      };
      file.addEventListener("change", chosen);
      frame(
        el("p", {}, t("checkin.file_about")),
        (given.prompts ?? []).length > 0 && el("ol", { class: "numbered" }, given.prompts.map((prompt) => el("li", {}, t(`prompt.${prompt}`)))),
        given.expires_at && el("p", { class: "soft" }, t("checkin.until", { when: clockTime(given.expires_at) })),
        file,
        back("do.cancel"),
      );
    } catch (error) {
      if (!stop.signal.aborted) failed(error.message);
    }
  }

  async function deliver(given, pictures, where) {
    const told = el("p", { role: "status" }, t("checkin.sending"));
    const bar = el("progress", { max: 100, value: 0, "aria-label": t("checkin.sending") });
    frame(where.why && el("p", { class: "soft" }, t(where.why)), told, bar, back("do.cancel"));
    const form = new FormData();
    form.append("nonce", given.nonce);
    if (where.fix) form.append("fix", JSON.stringify(where.fix));
    pictures.forEach((picture, i) => form.append("picture", picture, picture.name ?? `clip-${i}.${picture.type.includes("mp4") ? "mp4" : "webm"}`));
    const kb = Math.max(1, Math.round(pictures.reduce((sum, picture) => sum + picture.size, 0) / 1024));
    const expires_ms = given.expires_at ? Date.parse(given.expires_at) : now() + UPLOAD_PATIENCE_MS;
    for (;;) {
      try {
        const taken = await upload(base, form, stop.signal, (share) => {
          bar.value = 100 * share;
          told.textContent = t("checkin.sent_share", { n: Math.round(100 * share), kb });
        });
        return await follow(taken.checkin_id);
      } catch (error) {
        if (stop.signal.aborted) throw error;
        if (error.status === 401 && (await signedOut())) continue;
        if (error.status && error.status < 500 && error.status !== 429) throw error;
        if (now() > expires_ms) throw new Error(t("checkin.too_late"));
        told.textContent = error.status ? error.message : t("checkin.waiting_line");
        await sleep(AGAIN_MS); // the same nonce and bytes: the same check-in, however often it is sent
      }
    }
  }

  async function follow(checkin_id) {
    frame(el("p", { role: "status" }, t("checkin.examined")), el("progress", { "aria-label": t("checkin.examined") }), back());
    const until_ms = Date.now() + LOOK_FOR_MS;
    while (Date.now() < until_ms && !stop.signal.aborted) {
      const found = await ask("GET", `${base}/${encodeURIComponent(checkin_id)}`, undefined).catch((error) => {
        if (error.status && error.status < 500 && error.status !== 404) throw error;
        return null;
      });
      if (found?.state && `checkin.outcome.${found.state}` !== t(`checkin.outcome.${found.state}`)) return outcome(found);
      await sleep(LOOK_MS);
    }
    if (!stop.signal.aborted) outcome({ state: "late" });
  }

  function outcome({ state, reasons = [], advice = [], retry_at, join_link }) {
    const mended = language() === "en" && advice.length ? advice : reasons.map((code, i) => word(`reason.${code}`, advice[i] ?? "")).filter(Boolean);
    const again = state === "rejected" || state === "unsure";
    frame(
      el("div", { class: `outcome ${state}`, role: "status" }, el("h2", {}, t(`checkin.outcome.${state}`)), el("p", {}, t(`checkin.outcome.${state}.text`))),
      again && mended.length > 0 && el("ul", { class: "list" }, mended.map((one) => el("li", {}, one))),
      retry_at && Date.parse(retry_at) > now() && el("p", {}, t("checkin.retry_at", { when: clockTime(retry_at) })),
      join_link && /^https?:/.test(join_link) && el("a", { class: "button main big", href: join_link, rel: "noopener noreferrer", target: "_blank" }, t("checkin.join")),
      again && el("button", { class: "main big", on: { click: intro } }, t("do.again")),
      back(again ? "do.cancel" : "do.back"),
    );
  }

  function failed(message) {
    frame(el("p", { class: "bad", role: "alert" }, t("checkin.not_sent"), " ", message), el("button", { class: "main big", on: { click: intro } }, t("do.again")), back("do.cancel"));
  }

  intro();
}

/** Send a form and tell its progress, which fetch cannot. Throws Refused. */
function upload(address, form, signal, tell) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("POST", address);
    request.timeout = UPLOAD_PATIENCE_MS;
    request.setRequestHeader("Accept", "application/json");
    request.setRequestHeader("X-CSRF-Token", csrfToken());
    request.upload.onprogress = ({ loaded, total }) => total && tell(loaded / total);
    request.onerror = request.ontimeout = () => reject(new Refused(0));
    request.onabort = () => reject(signal.reason);
    request.onload = () => {
      let said = {};
      try {
        said = JSON.parse(request.responseText);
      } catch {
        // no JSON: judged by its status
      }
      if (request.status >= 200 && request.status < 300) resolve(said);
      else reject(new Refused(request.status, said));
    };
    signal.addEventListener("abort", () => request.abort(), { once: true });
    request.send(form);
  });
}
