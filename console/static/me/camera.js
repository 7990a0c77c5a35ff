// The camera before a person's face: prompts one after the other, recorded as one short clip; where the phone is; and
// why either cannot be had, in words.

import { el, fill } from "../lib/dom.js";
import { t } from "../lib/words.js";

const LOOK_MS = 1_500;
const PROMPT_MS = 2_800;
const PLACE_PATIENCE_MS = 15_000;
const WANTED = { video: { facingMode: "user", width: { ideal: 640 }, height: { ideal: 480 }, frameRate: { ideal: 24, max: 30 } }, audio: false };
const KINDS = ["video/webm;codecs=vp8", "video/webm", "video/mp4"];
const BITS_PER_S = 1_500_000;

/** Why there is no picture: `key` names the text. */
export class NoCamera extends Error {
  constructor(key) {
    super(key);
    this.key = key;
  }
}

/** The camera's stream. Throws NoCamera: not allowed, none there, taken by another program. */
export async function openCamera() {
  if (!navigator.mediaDevices?.getUserMedia || !globalThis.MediaRecorder) throw new NoCamera("camera.none");
  try {
    return await navigator.mediaDevices.getUserMedia(WANTED);
  } catch (error) {
    const why = { NotAllowedError: "camera.denied", SecurityError: "camera.denied", NotFoundError: "camera.none", OverconstrainedError: "camera.none", NotReadableError: "camera.busy", AbortError: "camera.busy" };
    throw new NoCamera(why[error.name] ?? "camera.other");
  }
}

export function closeCamera(stream) {
  for (const track of stream?.getTracks() ?? []) track.stop();
}

/** Where the phone is: {fix} as the server takes it, or {why} (the name of a text) when it cannot or may not tell. */
export function place() {
  return new Promise((resolve) => {
    if (!navigator.geolocation) return resolve({ why: "place.none" });
    navigator.geolocation.getCurrentPosition(
      ({ coords, timestamp }) => resolve({ fix: { lat: coords.latitude, lon: coords.longitude, accuracy_m: coords.accuracy, fix_time: new Date(timestamp).toISOString() } }),
      (error) => resolve({ why: error.code === error.PERMISSION_DENIED ? "place.denied" : "place.none" }),
      { enableHighAccuracy: true, timeout: PLACE_PATIENCE_MS, maximumAge: 0 },
    );
  });
}

const wait = (ms, signal) =>
  new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, ms);
    signal.addEventListener("abort", () => (clearTimeout(timer), reject(signal.reason)), { once: true });
  });

/** A clip (Blob) of `stream` while the person follows `prompts`, told in `box`. Rejects when `signal` is aborted. */
export async function record(stream, prompts, box, signal) {
  const video = el("video", { class: "preview", muted: true, playsinline: true, autoplay: true, "aria-label": t("camera.preview"), srcObject: stream });
  const told = el("p", { class: "prompt", role: "status", "aria-live": "assertive" }, t("camera.look"));
  const steps = el("ol", { class: "steps", "aria-hidden": "true" }, prompts.map(() => el("li")));
  fill(box, video, told, steps);
  await video.play().catch(() => {});
  const kind = KINDS.find((one) => MediaRecorder.isTypeSupported(one)) ?? "";
  const recorder = new MediaRecorder(stream, { ...(kind && { mimeType: kind }), videoBitsPerSecond: BITS_PER_S });
  const parts = [];
  recorder.ondataavailable = ({ data }) => data.size && parts.push(data);
  const stopped = new Promise((resolve, reject) => {
    recorder.onstop = resolve;
    recorder.onerror = () => reject(new NoCamera("camera.other"));
  });
  recorder.start();
  try {
    await wait(LOOK_MS, signal);
    for (const [i, prompt] of prompts.entries()) {
      told.textContent = t(`prompt.${prompt}`);
      steps.children[i].className = "now";
      await wait(PROMPT_MS, signal);
      steps.children[i].className = "over";
    }
    told.textContent = t("camera.look");
    await wait(LOOK_MS, signal);
    told.textContent = t("camera.done");
  } finally {
    if (recorder.state !== "inactive") recorder.stop();
  }
  await stopped;
  return new Blob(parts, { type: (recorder.mimeType || kind).split(";")[0] });
}
