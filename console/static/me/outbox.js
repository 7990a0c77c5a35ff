// What a person has said and the server has not yet heard: kept on the phone, sent when there is a line, in order.

import { command, newId } from "../lib/api.js";

const NAME = "fenceline-outbox";
const AGAIN_MS = 20_000;

function database() {
  return new Promise((resolve, reject) => {
    const opening = indexedDB.open(NAME, 1);
    opening.onupgradeneeded = () => opening.result.createObjectStore("letters", { keyPath: "key" });
    opening.onsuccess = () => resolve(opening.result);
    opening.onerror = () => reject(opening.error);
  });
}

async function inStore(mode, work) {
  const db = await database();
  try {
    return await new Promise((resolve, reject) => {
      const going = db.transaction("letters", mode);
      const asked = work(going.objectStore("letters"));
      going.oncomplete = () => resolve(asked.result);
      going.onerror = going.onabort = () => reject(going.error);
    });
  } finally {
    db.close();
  }
}

export class Outbox extends EventTarget {
  /** Of the person `owner`. Sends `change` when what waits changed, `sent` (detail: letter) and `refused` ({letter, why}). */
  constructor(owner) {
    super();
    this.owner = owner;
    this.waiting = [];
    this.sending = false;
    window.addEventListener("online", () => this.flush());
    setInterval(() => this.waiting.length && this.flush(), AGAIN_MS);
  }

  async open() {
    await this.read();
    return this.flush();
  }

  async read() {
    const all = await inStore("readonly", (store) => store.getAll());
    this.waiting = all.filter((letter) => letter.owner === this.owner).sort((a, b) => a.written_at.localeCompare(b.written_at));
    this.dispatchEvent(new Event("change"));
  }

  /**
   * Keep a command, and send it as soon as may be. `about`: a line for the person, of what it is; `about_id`: the id of
   * what it is about.
   */
  async put(path, body, about, about_id = "") {
    const letter = { key: newId(), owner: this.owner, written_at: new Date().toISOString(), path, body, about, about_id };
    await inStore("readwrite", (store) => store.put(letter));
    await this.read();
    await this.flush();
  }

  async drop(letter) {
    await inStore("readwrite", (store) => store.delete(letter.key));
    await this.read();
  }

  async flush() {
    if (this.sending) return;
    this.sending = true;
    try {
      for (const letter of [...this.waiting]) {
        const result = await this.send(letter);
        if (!result) break; // no line: the order is kept, so the others wait too
        await this.drop(letter);
        if (result.why) this.dispatchEvent(new CustomEvent("refused", { detail: { letter, why: result.why } }));
        else this.dispatchEvent(new CustomEvent("sent", { detail: letter }));
      }
    } finally {
      this.sending = false;
    }
  }

  async send(letter) {
    try {
      await command(letter.path, letter.body, letter.key);
      return {};
    } catch (error) {
      // the server's no is an answer; no answer, an ended session or a server in trouble are not
      return error.status >= 400 && error.status < 500 && ![401, 408, 425, 429].includes(error.status) ? { why: error.message } : null;
    }
  }
}
