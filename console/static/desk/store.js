// What the desk knows: people, where they are, alerts, fences, tasks. Read once, then kept up by what the server sends.

import { at, BASE, command, get, newId } from "../lib/api.js";
import { Live } from "../lib/live.js";
import { say } from "../lib/notices.js";
import { language, t } from "../lib/words.js";

const GONE = new Set(["resolved", "cleared"]);
const GATHER_MS = 60;
const FRESH_MS = 20_000;
const PEOPLE_AGAIN_MS = 1_000;
const AGENCIES = ["police", "procuratorate", "court", "justice-bureau"];

const OFFICERS = ["officer", "supervisor"];
const STAFF = [...OFFICERS, "agency"];

/** Which roles are offered what; whoever is refused all the same is told by the server. */
const MAY = {
  "alert.take": STAFF,
  "alert.escalate": STAFF,
  "alert.hand_over": STAFF,
  "alert.resolve": OFFICERS,
  "score.confirm": OFFICERS,
  "score.reverse": OFFICERS,
  "score.decide": OFFICERS,
  "task.create": STAFF,
  "task.accept": STAFF,
  "task.hand_over": STAFF,
  "task.done": STAFF,
  "task.decline": STAFF,
  "leave.decide": OFFICERS,
  "identity.settle": OFFICERS,
  pictures: OFFICERS,
  "fence.put": STAFF,
  people: STAFF,
};

/** The columns of a position's row, as in `Positions.columns`. */
export const [DEVICE, SUBJECT, TIME, LAT, LON, ACCURACY, COLOUR, STATE] = [0, 1, 2, 3, 4, 5, 6, 7];
export const [OK, BREACH, SILENT, OTHER] = [0, 1, 2, 3];
const COLOURS = ["green", "yellow", "red"];

export class Store extends EventTarget {
  /**
   * `session`: `Me`. Sends `people`, `alerts`, `fences`, `tasks` when those changed, `live` when the line did, and
   * `moved` (detail: rows of positions).
   */
  constructor(session) {
    super();
    this.session = session;
    this.agencies = session.settings?.agencies ?? AGENCIES;
    this.people = new Map();
    this.positions = new Map(); // device_id -> row
    this.alerts = new Map();
    this.more = 0; // open alerts beyond those that were given
    this.fences = new Map();
    this.tasks = new Map();
    this.fresh = new Map(); // subject_id -> {subject_id, at}: breaches whose alert is not there yet
    this.busy = new Set(); // alert_ids of which a command is on its way
    this.waiting = new Map(); // command_id -> what it was, of commands not judged yet
    this.told = new Set();
    this.may = (what) => MAY[what].includes(session.role);
  }

  /** Read all that the desk shows first, and follow what comes. */
  async open() {
    const live = new Live(`${BASE}/events`);
    this.live = live;
    const on = (name, take) => live.addEventListener(name, ({ detail }) => take(detail));
    live.addEventListener("state", () => this.dispatchEvent(new Event("live")));
    live.addEventListener("again", () => this.read().catch(() => {}));
    on("positions", (said) => this.takePositions(said.rows ?? said, true));
    on("alert", (alert) => this.takeAlert(alert));
    on("task", (task) => this.takeTask(task));
    on("score", (score) => this.takeScore(score));
    on("fence", () => this.readFences().catch(() => {}));
    on("leave", () => this.changed("leaves"));
    on("person", () => this.readPeopleSoon());
    on("result", (result) => this.takeResult(result));
    await this.read();
  }

  async read() {
    await this.readFences();
    if (!this.may("people")) return;
    const [, alerts, tasks, positions] = await Promise.all([
      this.readPeople(),
      get("/alerts?state=open&limit=500"),
      get("/tasks?state=open&limit=500"),
      get("/positions"),
    ]);
    this.alerts.clear();
    for (const alert of alerts.alerts) this.keepAlert(alert);
    this.more = Math.max(0, (alerts.total ?? 0) - alerts.alerts.length);
    this.tasks = new Map(tasks.tasks.map((task) => [task.task_id, task]));
    this.positions.clear();
    this.dispatchEvent(new Event("emptied"));
    this.takePositions(positions.rows, false);
    for (const what of ["alerts", "tasks"]) this.changed(what);
  }

  async readPeople() {
    const { people } = await get("/people");
    this.people = new Map(people.map((person) => [person.subject_id, person]));
    this.changed("people");
  }

  /** Once for many that change together. */
  readPeopleSoon() {
    this.soon ??= setTimeout(() => {
      this.soon = null;
      this.readPeople().catch(() => {});
    }, PEOPLE_AGAIN_MS);
  }

  async readFences() {
    const { features } = await get("/fences");
    this.fences = new Map(features.map((fence) => [fence.properties.fence_id, fence]));
    this.changed("fences");
  }

  /** Fences with a breach that lasts. */
  get broken() {
    return new Set([...this.alerts.values()].filter((alert) => alert.fence_id && !alert.ended_at && alert.incident_type === "breach.opened").map((alert) => alert.fence_id));
  }

  /** Where a person was last: the latest row of their devices, or null. */
  positionOf(subject_id) {
    let found = null;
    for (const row of this.positions.values()) if (row[SUBJECT] === subject_id && (!found || row[TIME] > found[TIME])) found = row;
    return found;
  }

  takePositions(rows, news) {
    for (const row of rows) {
      const before = this.positions.get(row[DEVICE]);
      this.positions.set(row[DEVICE], row);
      if (news && row[STATE] === BREACH && before?.[STATE] !== BREACH) this.justHappened(row[SUBJECT]);
    }
    this.dispatchEvent(new CustomEvent("moved", { detail: rows }));
  }

  /** A breach stands since this moment; its alert may take some seconds, in which it is seen whether many are concerned. */
  justHappened(subject_id) {
    if ([...this.alerts.values()].some((alert) => alert.subject_id === subject_id && alert.incident_type === "breach.opened" && !alert.ended_at)) return;
    const news = { subject_id, at_ms: Date.now() };
    this.fresh.set(subject_id, news);
    setTimeout(() => this.fresh.get(subject_id) === news && this.fresh.delete(subject_id) && this.changed("alerts"), FRESH_MS);
    this.changed("alerts");
  }

  takeScore(score) {
    const person = this.people.get(score.subject_id);
    if (person) Object.assign(person, { colour: score.colour, points: score.points });
    const colour = COLOURS.indexOf(score.colour);
    const rows = [...this.positions.values()].filter((row) => row[SUBJECT] === score.subject_id && row[COLOUR] !== colour);
    for (const row of rows) row[COLOUR] = colour;
    if (rows.length) this.dispatchEvent(new CustomEvent("moved", { detail: rows }));
    this.changed("people");
  }

  takeAlert(alert) {
    const known = this.alerts.get(alert.alert_id);
    if (known && known.seq > alert.seq) return; // an older word that came late
    this.keepAlert(alert);
    this.changed("alerts");
  }

  keepAlert(alert) {
    if (GONE.has(alert.state)) this.alerts.delete(alert.alert_id);
    else this.alerts.set(alert.alert_id, alert);
    if (alert.incident_type === "breach.opened") this.fresh.delete(alert.subject_id);
  }

  takeTask(task) {
    const known = this.tasks.get(task.task_id);
    if (known && known.seq > task.seq) return;
    this.tasks.set(task.task_id, task);
    this.changed("tasks");
  }

  /** What became of a command of mine that was not judged at once. */
  takeResult(result) {
    const about = this.waiting.get(result.command_id);
    if (about === undefined || result.outcome === "waiting") return;
    this.waiting.delete(result.command_id);
    if (result.outcome === "refused") say(t("act.refused_later", { what: about, why: result.reason }), { bad: true });
  }

  /** What an alert says, in the language of whoever looks. */
  sentence(alert) {
    const said = alert.sentence?.[language()] ?? alert.sentence?.en;
    return said || t("queue.no_sentence", { who: alert.subject_id, what: alert.fence_name || alert.incident_type });
  }

  /** A command about an alert, which is marked as busy until there is an answer. */
  async about(alert, verb, body, key = newId()) {
    this.busy.add(alert.alert_id);
    this.changed("alerts");
    try {
      return await this.send(at`/alerts/${alert.alert_id}/${verb}`, body, key);
    } catch (error) {
      if (error.status === 409 || error.status === 404) this.readAlert(alert.alert_id);
      throw error;
    } finally {
      this.busy.delete(alert.alert_id);
      this.changed("alerts");
    }
  }

  /** Somebody was quicker: see how it stands. */
  readAlert(alert_id) {
    return get(at`/alerts/${alert_id}`).then(
      (alert) => this.takeAlert(alert),
      (error) => error.status === 404 && this.alerts.delete(alert_id) && this.changed("alerts"),
    );
  }

  /** Give a command; resolves when it was obeyed, or is on its way. Throws Refused with the reason when it was not. */
  async send(path, body, key) {
    const result = await command(path, body, key);
    if (result.outcome === "waiting") {
      this.waiting.set(result.command_id, body.title ?? path.split("/").at(-1));
      say(t("act.on_its_way"));
    }
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
