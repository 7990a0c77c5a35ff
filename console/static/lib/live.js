// What comes from the server as it happens (server-sent events), and whether it still does.
// Read by fetch and not by EventSource, which keeps from a page the heartbeat that tells a quiet line from a dead one.

import { signedOut } from "./api.js";

const SILENT_AFTER_MS = 25_000;
const LOOK_MS = 2_000;
const AGAIN_MS = [500, 1_000, 2_000, 4_000, 8_000];

/**
 * A connection that mends itself. Sends the stream's events as `CustomEvent`s (detail: the data), and `state` with
 * "connecting", "live" or "lost". `again` after a gap that the server cannot fill: read all anew.
 */
export class Live extends EventTarget {
  constructor(address) {
    super();
    this.address = address;
    this.state = "connecting";
    this.since_ms = Date.now();
    this.last = "";
    this.tries = 0;
    this.closed = false;
    this.watch = setInterval(() => this.listen(), LOOK_MS);
    this.online = () => this.hurry?.();
    window.addEventListener("online", this.online);
    this.run();
  }

  async run() {
    let first = true;
    while (!this.closed) {
      try {
        await this.follow(first);
      } catch {
        // lost: told below, tried again
      }
      if (this.closed) return;
      first = false;
      this.become("lost");
      const wait_ms = AGAIN_MS[Math.min(this.tries++, AGAIN_MS.length - 1)];
      await new Promise((resolve) => {
        this.hurry = resolve;
        setTimeout(resolve, wait_ms);
      });
    }
  }

  async follow(first) {
    this.heard_ms = Date.now();
    this.line = new AbortController();
    const headers = { Accept: "text/event-stream", ...(this.last && { "Last-Event-ID": this.last }) };
    const answer = await fetch(this.address, { headers, credentials: "same-origin", cache: "no-store", signal: this.line.signal });
    if (answer.status === 401 && (await signedOut())) return;
    if (!answer.ok) throw new Error(answer.statusText);
    if (!first && !this.last) this.dispatchEvent(new Event("again"));
    this.tries = 0;
    this.become("live");
    const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
    let rest = "";
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return;
      this.heard_ms = Date.now();
      const parts = (rest + value).split(/\r?\n\r?\n/);
      rest = parts.pop();
      for (const part of parts) this.take(part);
    }
  }

  take(block) {
    let name = "message";
    const data = [];
    for (const line of block.split(/\r?\n/)) {
      const [, field, value] = /^([a-z]+): ?(.*)$/s.exec(line) ?? [];
      if (field === "event") name = value;
      else if (field === "id") this.last = value;
      else if (field === "data") data.push(value);
    }
    if (!data.length && name !== "reset") return; // a heartbeat
    if (name === "reset") {
      this.last = "";
      this.dispatchEvent(new Event("again"));
      return;
    }
    this.dispatchEvent(new CustomEvent(name, { detail: JSON.parse(data.join("\n")) }));
  }

  /** A dead line does not always say so: nothing heard for long, not even a beat, is lost too. */
  listen() {
    if (this.state === "live" && Date.now() - this.heard_ms > SILENT_AFTER_MS) this.line.abort();
  }

  become(state) {
    if (state === this.state) return;
    this.state = state;
    this.since_ms = Date.now();
    this.dispatchEvent(new CustomEvent("state", { detail: state }));
  }

  close() {
    this.closed = true;
    clearInterval(this.watch);
    window.removeEventListener("online", this.online);
    this.line?.abort();
    this.hurry?.();
  }
}
