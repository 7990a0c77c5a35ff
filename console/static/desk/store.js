// What the desk knows: people, alerts, fences, tasks. Read once, then kept up by what the server sends.

import { get, newId, post, Refused } from "../lib/api.js";
import { Live } from "../lib/live.js";
import { say } from "../lib/notices.js";
import { language, t } from "../lib/words.js";

const GONE = new Set(["resolved", "cleared"]);
const GATHER_MS = 60;
const FRESH_MS = 20_000;
const RESULT_PATIENCE_MS = 15_000;

export class Store extends EventTarget {
  /** `session`: who is signed in. Sends `people`, `alerts`, `fences`, `tasks` when those changed, and `live`. */
  constructor(session) {
    super();
    this.session = session;
    this.people = new Map();
    this.alerts = new Map();
    this.fences = new Map();
    this.tasks = new Map();
    this.broken = new Set(); // fence_ids with an open breach
    this.fresh = new Map(); // incidents whose alert is not there yet
    this.busy = new Set(); // alert_ids of which a command is on its way
    this.told = new Set();
    this.may = (kind) => session.may.includes(kind);
  }

  /** Read all that the desk shows first, and follow what comes. */
  async open() {
    const live = new Live("/api/v1/events", ["position", "alert", "task", "fence", "person", "incident", "beat"]);
    this.live = live;
    live.addEventListener("state", () => this.dispatchEvent(new Event("live")));
    live.addEventListener("again", () => this.read().catch(() => {}));
    live.addEventListener("position", ({ detail }) => this.takePositions([detail].flat()));
    live.addEventListener("alert", ({ detail }) => this.takeAlert(detail));
    live.addEventListener("task", ({ detail }) => this.takeTask(detail));
    live.addEventListener("fence", () => this.readFences().catch(() => {}));
    live.addEventListener("incident", ({ detail }) => this.takeIncident(detail));
    live.addEventListener("person", ({ detail }) => this.takePerson(detail));
    await this.read();
  }

  async read() {
    const [people, alerts, tasks] = await Promise.all([get("/people"), get("/alerts"), get("/tasks"), this.readFences()]);
    this.people.clear();
    for (const person of people.people) this.people.set(person.subject_id, person);
    this.alerts.clear();
    for (const alert of alerts.alerts) this.keepAlert(alert);
    this.tasks = new Map(tasks.tasks.map((task) => [task.task_id, task]));
    this.breaches();
    for (const what of ["people", "alerts", "tasks"]) this.changed(what);
  }

  /** Something happened just now; its alert may take some seconds, in which it is seen whether many are concerned. */
  takeIncident(incident) {
    if ([...this.alerts.values()].some((alert) => alert.incident_ids?.includes(incident.incident_id))) return;
    this.fresh.set(incident.incident_id, incident);
    setTimeout(() => this.fresh.delete(incident.incident_id) && this.changed("alerts"), FRESH_MS);
    this.changed("alerts");
  }

  async readFences() {
    const { features } = await get("/fences");
    this.fences = new Map(features.map((fence) => [fence.properties.fence_id, fence]));
    this.changed("fences");
  }

  takePositions(positions) {
    for (const position of positions) this.people.set(position.subject_id, { ...this.people.get(position.subject_id), ...position });
    this.breaches();
    this.changed("people");
  }

  takePerson(news) {
    this.takePositions([news]);
  }

  takeAlert(alert) {
    const known = this.alerts.get(alert.alert_id);
    if (known && known.seq > alert.seq) return; // an older word that came late
    this.keepAlert(alert);
    this.changed("alerts");
    this.changed("people");
  }

  keepAlert(alert) {
    this.busy.delete(alert.alert_id);
    if (GONE.has(alert.state)) this.alerts.delete(alert.alert_id);
    else this.alerts.set(alert.alert_id, alert);
    for (const incident_id of alert.incident_ids ?? []) this.fresh.delete(incident_id);
  }

  /** Which fences are broken now. */
  breaches() {
    this.broken = new Set([...this.people.values()].flatMap((person) => person.broken ?? []));
  }

  takeTask(task) {
    const known = this.tasks.get(task.task_id);
    if (known && known.seq > task.seq) return;
    this.tasks.set(task.task_id, task);
    this.changed("tasks");
  }

  /** What an alert says, in the language of whoever looks. */
  sentence(alert) {
    const said = alert.sentence?.[language()] ?? alert.sentence?.en;
    return said ?? t("queue.no_sentence", { who: alert.subject_id, what: alert.fence_name || alert.incident_type });
  }

  /** Send a command about an alert at once, with the alert marked as busy until its change comes back. */
  async command(alert, command) {
    this.busy.add(alert.alert_id);
    this.changed("alerts");
    try {
      await this.send(alert.subject_id, { ...command, command_id: newId() });
    } finally {
      this.busy.delete(alert.alert_id);
      this.changed("alerts");
    }
  }

  /** Send a command; resolves when the stream obeyed it. Throws Refused with the reason when it did not. */
  async send(subject_id, command) {
    const result = await post("/commands", { subject_id, ...command }, { patience_ms: RESULT_PATIENCE_MS });
    if (result.outcome === "refused") throw new Refused(409, { code: result.code, detail: result.reason });
    if (result.outcome === "unknown") say(t("act.on_its_way"));
    return result;
  }

  changed(what) {
    if (!this.told.size) setTimeout(() => this.tell(), GATHER_MS);
    this.told.add(what);
  }

  tell() {
    const what = [...this.told];
    this.told.clear();
    for (const name of what) this.dispatchEvent(new Event(name));
  }
}
