// What wakes a desk: a tone and a browser notification when a critical alert comes, again while nobody has it.

import { t, word } from "../lib/words.js";

const AGAIN_MS = 30_000;
const TONES = [
  [880, 0],
  [660, 0.18],
  [880, 0.36],
];

export class Alarm {
  /** On or off as it was left. `show(alert)` is called when a notification is clicked. */
  constructor(store, show) {
    this.store = store;
    this.show = show;
    this.known = new Set(store.alerts.keys());
    this.on = localStorage.getItem("alarm") !== "off";
    this.last_ms = 0;
    store.addEventListener("alerts", () => this.look());
    this.again = setInterval(() => this.waiting().length && this.sound(), AGAIN_MS);
  }

  /** Turn it on or off; turning it on is the gesture that browsers ask for before they let a page sound or notify. */
  async turn(on) {
    this.on = on;
    localStorage.setItem("alarm", on ? "on" : "off");
    if (!on) return;
    this.audio ??= new AudioContext();
    await this.audio.resume();
    this.sound();
    if (globalThis.Notification?.permission === "default") await Notification.requestPermission();
  }

  waiting() {
    return [...this.store.alerts.values()].filter((alert) => alert.severity === "critical" && alert.state === "open");
  }

  look() {
    const fresh = this.waiting().filter((alert) => !this.known.has(alert.alert_id));
    this.known = new Set(this.waiting().map((alert) => alert.alert_id));
    if (!fresh.length || !this.on) return;
    this.sound();
    if (globalThis.Notification?.permission !== "granted" || document.hasFocus()) return;
    for (const alert of fresh.slice(0, 3)) {
      const note = new Notification(`${t("severity.critical")}: ${word(`rule.${alert.rule}`, alert.rule)}`, {
        body: this.store.sentence(alert),
        tag: alert.alert_id,
        requireInteraction: true,
      });
      note.onclick = () => {
        window.focus();
        this.show(alert);
        note.close();
      };
    }
  }

  sound() {
    if (!this.on) return;
    this.audio ??= new AudioContext();
    if (this.audio.state !== "running") {
      this.audio.resume(); // refused until somebody touched the page; the notification and the queue remain
      if (this.audio.state !== "running") return;
    }
    for (const [hertz, after_s] of TONES) {
      const tone = this.audio.createOscillator();
      const loud = this.audio.createGain();
      const at = this.audio.currentTime + after_s;
      tone.frequency.value = hertz;
      loud.gain.setValueAtTime(0.0001, at);
      loud.gain.exponentialRampToValueAtTime(0.25, at + 0.02);
      loud.gain.exponentialRampToValueAtTime(0.0001, at + 0.16);
      tone.connect(loud).connect(this.audio.destination);
      tone.start(at);
      tone.stop(at + 0.17);
    }
  }
}
