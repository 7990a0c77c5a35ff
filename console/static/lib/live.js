// What comes from the server as it happens (server-sent events), and whether it still does.

const SILENT_AFTER_MS = 35_000;

/**
 * A connection that mends itself. Sends the stream's own events as `CustomEvent`s (detail: the data), and `state` with
 * "connecting", "live" or "lost". After a gap that the server cannot fill from where it was, `again` says: read all anew.
 */
export class Live extends EventTarget {
  constructor(address, names) {
    super();
    this.address = address;
    this.names = names;
    this.state = "connecting";
    this.since_ms = Date.now();
    this.opened = false;
    this.watch = setInterval(() => this.listen(), 5000);
    this.connect();
  }

  connect() {
    this.source?.close();
    const source = new EventSource(this.address);
    this.source = source;
    this.heard_ms = Date.now();
    source.onopen = () => {
      this.heard_ms = Date.now();
      if (this.opened && this.state !== "live") this.dispatchEvent(new Event("again"));
      this.opened = true;
      this.become("live");
    };
    source.onerror = () => {
      this.become("lost");
      if (source.readyState === EventSource.CLOSED) setTimeout(() => this.source === source && this.connect(), 3000);
    };
    for (const name of this.names)
      source.addEventListener(name, (event) => {
        this.heard_ms = Date.now();
        this.become("live");
        let data;
        try {
          data = event.data ? JSON.parse(event.data) : null;
        } catch {
          return; // cut off in the middle: what follows will say it again
        }
        this.dispatchEvent(new CustomEvent(name, { detail: data }));
      });
  }

  /** A dead line does not always say so: nothing heard for long, not even a beat, is lost too. */
  listen() {
    if (this.state === "live" && Date.now() - this.heard_ms > SILENT_AFTER_MS) {
      this.become("lost");
      this.connect();
    }
  }

  become(state) {
    if (state === this.state) return;
    this.state = state;
    this.since_ms = Date.now();
    this.dispatchEvent(new CustomEvent("state", { detail: state }));
  }

  close() {
    clearInterval(this.watch);
    this.source.close();
  }
}
