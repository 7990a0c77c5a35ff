// Asking the server: one way for all, with what can go wrong said in words.

import { heard } from "./clock.js";
import { language, t, word } from "./words.js";

export const BASE = "/api/v1";
const PATIENCE_MS = 20_000;

/**
 * An answer that is no. `status` 0: there was no answer at all; `code`: the server's own word; `problem`: all it said.
 * The message is for people, in their language where there are words for the code.
 */
export class Refused extends Error {
  constructor(status, problem = {}) {
    const code = problem.error ?? "";
    super(told(status, code, problem));
    this.status = status;
    this.code = code;
    this.problem = problem;
  }
}

function told(status, code, problem) {
  if (!status) return t("refused.no_line");
  if (code === "wrong_state" && problem.holder) return t("refused.holder", { who: problem.holder });
  const known = word(`refused.${code}`, "");
  if (known) return known;
  return [problem.detail || problem.title || t("refused.other"), problem.hint].filter(Boolean).join(" ");
}

let csrf = "";
let signInAgain = null;
let asking = null;

/** Remember the token that says that a change was asked for by this page. */
export function trust(token) {
  csrf = token ?? "";
}

export const csrfToken = () => csrf;

/** `ask()` is called when the session has ended, and resolves when there is one again: what was asked is asked anew. */
export function onSignedOut(ask) {
  signInAgain = ask;
}

/** Sign in again, once for all that found the session ended. False: nobody here can. */
export async function signedOut() {
  if (!signInAgain) return false;
  asking ??= signInAgain().finally(() => (asking = null));
  await asking;
  return true;
}

async function send(method, address, body, options) {
  const headers = { Accept: "application/json", "Accept-Language": language(), ...options.headers };
  if (csrf && method !== "GET") headers["X-CSRF-Token"] = csrf;
  let payload;
  if (body instanceof FormData || body instanceof Blob) payload = body;
  else if (body !== undefined) {
    payload = JSON.stringify(body);
    headers["Content-Type"] = "application/json";
  }
  let answer;
  let said;
  try {
    answer = await fetch(address, {
      method,
      headers,
      body: payload,
      credentials: "same-origin",
      cache: "no-store",
      signal: AbortSignal.timeout(options.patience_ms ?? PATIENCE_MS),
    });
    heard(answer.headers.get("Date"));
    const text = await answer.text();
    said = (answer.headers.get("Content-Type") ?? "").includes("json") && text ? JSON.parse(text) : text;
  } catch {
    throw new Refused(0); // no answer, or one that was cut off
  }
  if (!answer.ok) throw new Refused(answer.status, typeof said === "object" ? said : {});
  return said;
}

/** Ask `address`, which is whole; paths of the API go through `get`, `post`, `put` and `del`. */
export async function ask(method, address, body, options = {}) {
  try {
    return await send(method, address, body, options);
  } catch (error) {
    if (error.status === 403 && error.code === "csrf" && !options.again) {
      trust((await send("GET", `${BASE}/me`, undefined, {})).csrf); // signed in anew in another tab
      return ask(method, address, body, { ...options, again: true });
    }
    if (error.status !== 401 || options.quiet || !(await signedOut())) throw error;
    return send(method, address, body, options); // the same headers: the same Idempotency-Key, so nothing is done twice
  }
}

export const get = (path, options) => ask("GET", BASE + path, undefined, options);
export const post = (path, body = {}, options) => ask("POST", BASE + path, body, options);
export const put = (path, body = {}, options) => ask("PUT", BASE + path, body, options);
export const del = (path, options) => ask("DELETE", BASE + path, undefined, options);

/** A path with its values encoded: at`/subjects/${id}`. */
export function at(parts, ...values) {
  return parts.reduce((path, part, i) => path + encodeURIComponent(values[i - 1]) + part);
}

/** A key for a write, made before it is sent, so that sending it again is the same command. */
export const newId = () => crypto.randomUUID();

/**
 * Give a command: {outcome: "done" | "waiting", command_id, effect}. `key` is the Idempotency-Key.
 *
 * Throws Refused: the rules refuse it, somebody was quicker, or there was no answer.
 */
export const command = (path, body, key = newId()) => post(path, body, { headers: { "Idempotency-Key": key } });
