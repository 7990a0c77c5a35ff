// Asking the server: one way for all, with what can go wrong said in words.

import { heard } from "./clock.js";
import { language, t } from "./words.js";

export const BASE = "/api/v1";
const PATIENCE_MS = 20_000;

/** An answer that is no. `status` 0: there was no answer at all; `code`: the server's own word; `detail`: for people. */
export class Refused extends Error {
  constructor(status, problem = {}) {
    super(problem.detail || problem.title || t(status ? "refused.other" : "refused.no_line"));
    this.status = status;
    this.code = problem.code ?? "";
    this.problem = problem;
  }
}

let csrf = "";
let signInAgain = null;

/** Remember the token that says that a change was asked for by this page. */
export function trust(token) {
  csrf = token;
}

export const csrfToken = () => csrf;

/** `ask()` is called when the session has ended, and resolves when there is one again: what was asked is asked anew. */
export function onSignedOut(ask) {
  signInAgain = ask;
}

async function send(method, path, body, options) {
  const headers = { Accept: "application/json", "Accept-Language": language(), ...options.headers };
  if (csrf && method !== "GET") headers["X-CSRF-Token"] = csrf;
  let payload;
  if (body instanceof FormData || body instanceof Blob) payload = body;
  else if (body !== undefined) {
    payload = JSON.stringify(body);
    headers["Content-Type"] = "application/json";
  }
  let answer;
  try {
    answer = await fetch(BASE + path, {
      method,
      headers,
      body: payload,
      credentials: "same-origin",
      signal: AbortSignal.timeout(options.patience_ms ?? PATIENCE_MS),
    });
  } catch {
    throw new Refused(0);
  }
  heard(answer.headers.get("Date"));
  const kind = answer.headers.get("Content-Type") ?? "";
  const said = kind.includes("json") ? await answer.json().catch(() => ({})) : await answer.text();
  if (!answer.ok) throw new Refused(answer.status, typeof said === "object" ? said : {});
  return said;
}

async function ask(method, path, body, options = {}) {
  try {
    return await send(method, path, body, options);
  } catch (error) {
    if (error.status !== 401 || !signInAgain || options.quiet) throw error;
    await signInAgain();
    return send(method, path, body, options);
  }
}

export const get = (path, options) => ask("GET", path, undefined, options);
export const post = (path, body = {}, options) => ask("POST", path, body, options);
export const put = (path, body = {}, options) => ask("PUT", path, body, options);
export const del = (path, options) => ask("DELETE", path, undefined, options);

/** A path with its values encoded: at`/people/${id}`. */
export function at(parts, ...values) {
  return parts.reduce((path, part, i) => path + encodeURIComponent(values[i - 1]) + part);
}

/** The id of a command, made here so that sending it again is the same command. */
export const newId = () => crypto.randomUUID();
