/**
 * The Coursecast client: ask for a course and watch it being written. No dependencies, no build step.
 *
 *     const { course_id } = await createCourse({ query: "Learn DCF valuation", hours: 2 });
 *     watchCourse(course_id, { onUpdate: (message) => …, onEnd: ({ status }) => … });
 *
 * The course's event log is the truth, `seq` the cursor into it. A watch keeps its cursor over every
 * interruption: each message arrives once and in order.
 *
 * Oddities, on purpose:
 * - The first drop is left to the browser: only it knows the `retry:` the server asked for. From the second on
 *   the watch closes the EventSource and comes back by its own, growing backoff.
 * - An EventSource hides the HTTP status. When the browser closes one for good, the status route tells why:
 *   the course is over (204), unknown (404), or the server was only away.
 * - A stream that ends says nothing about the course. "Done" is a `complete` message, an `end` at our cursor,
 *   or a terminal status view.
 */

/** Milliseconds. The server pings every 15 s: two missed pings are a dead stream. */
const TIMING = {
  requestMs: 15_000,
  firstEventMs: 10_000, // a log is never empty: read from the start it speaks at once, unless a proxy buffers
  silenceMs: 35_000,
  browserRetryMs: 45_000,
  backoffMs: 500,
  longestBackoffMs: 30_000,
};
const FAILURES_BEFORE_POLLING = 3;
const FINAL = [400, 401, 403, 404, 410];

/** The task whose single result a message is: its drafts are over. */
const TASKS = {
  embedding_generated: () => "embed",
  book_summaries_found: () => "search",
  parts_generated: () => "parts",
  part_sections_generated: (message) => `sections:${message.part_index}`,
  outline_reviewed: () => "review",
  course_stored: () => "store",
};

/** Any answer but success: `status` (0: no answer at all), `code`, `field?`, `retryAfterMs?`. */
export class CoursecastError extends Error {
  constructor({ message, ...facts }) {
    super(message);
    Object.assign(this, { name: "CoursecastError", status: 0, code: "unreachable", ...facts });
  }
}

/**
 * Ask for a course: `{query, hours?, preferences?}` → the 202 body with `course_id`. Tries three times while
 * the server is away; the idempotency key makes that one course.
 */
export async function createCourse(request, { baseUrl = "", idempotencyKey = randomKey() } = {}) {
  const headers = { "Content-Type": "application/json", "Idempotency-Key": idempotencyKey };
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await call(baseUrl, "/courses", { method: "POST", headers, body: JSON.stringify(request) });
    } catch (error) {
      if (attempt === 3 || ![0, 502, 503, 504].includes(error.status)) throw error;
      await new Promise((done) => setTimeout(done, error.retryAfterMs ?? backoff(attempt, TIMING)));
    }
  }
}

const at = (courseId, rest = "") => `/courses/${encodeURIComponent(courseId)}${rest}`;
const POST = { method: "POST" };

/** The finished course; status 409 while there is none. */
export const fetchCourse = (id, { baseUrl = "" } = {}) => call(baseUrl, at(id));
/** The status view as of now, with `poll_after_ms` while the course is processing. */
export const fetchStatus = (id, { baseUrl = "" } = {}) => call(baseUrl, at(id, "/status"));
/** The newest courses: `{courses, next_cursor}`. */
export const listCourses = ({ baseUrl = "", limit = 10 } = {}) => call(baseUrl, `/courses?limit=${limit}`);
/** One book of the library with its chapters. */
export const fetchBook = (id, { baseUrl = "" } = {}) => call(baseUrl, `/books/${encodeURIComponent(id)}`);
/** Stop a course that is being written; it can be retried. */
export const cancelCourse = (id, { baseUrl = "" } = {}) => call(baseUrl, at(id, "/cancel"), POST);
/** Let a stopped course go on where it stopped; watch it again from your cursor. */
export const retryCourse = (id, { baseUrl = "" } = {}) => call(baseUrl, at(id, "/retry"), POST);

/**
 * Watch a course from `after` (default 0: the whole log) until it is over or closed. Callbacks, all optional:
 *
 * - `onUpdate(message)`: the next message of the log.
 * - `onDraft({task, fence, n, value})`: `value` is the whole partial result so far; stale drafts are dropped.
 * - `onReset()`: the log comes again from 1; forget what was folded.
 * - `onStatus(view)`: a status view, only while polling stands in for a stream that does not come through.
 * - `onEnd({course_id, seq, status, course?})`: over, "complete" or "error"; `course` is the finished course
 *   where polling saw the end, because then not every message was seen.
 * - `onError(error)`: the watch gave up: no such course, or not allowed.
 * - `onConnection({state, transport, retryInMs?})`: "connecting", "live", "waiting", "polling", "unreachable"
 *   (polling fails, too) or "closed".
 *
 * Returns `{close(), cursor}`.
 */
export function watchCourse(courseId, options = {}) {
  const watch = new Watch(courseId, options);
  watch.connect();
  return { close: () => watch.close(), get cursor() { return watch.cursor.seq; } };
}

/** How far a viewer has read, and which drafts are news to it. No I/O. */
export class Cursor {
  constructor(seq = 0) {
    this.restart(seq);
  }

  restart(seq = 0) {
    Object.assign(this, { seq, stopped: false, finished: new Set(), fence: -Infinity, newest: new Map() });
  }

  /** "next" (and moves on), "seen", or "gap" when messages before this one are missing. */
  take(message) {
    if (message.seq <= this.seq) return "seen";
    if (message.seq > this.seq + 1) return "gap";
    this.seq = message.seq;
    this.stopped = message.status !== "processing";
    this.finished.add(TASKS[message.type]?.(message));
    return "next";
  }

  /** Whether a draft is news: its task open, its run not replaced, its text newer than what was shown. */
  takeDraft({ task, fence, n }) {
    if (this.stopped || this.finished.has(task) || fence < this.fence) return false;
    if (fence > this.fence) this.newest.clear();
    this.fence = fence;
    if (n <= this.newest.get(task)) return false;
    this.newest.set(task, n);
    return true;
  }
}

/**
 * A stream of server-sent events. A transport is a function (address, on) → {close()} that calls `on.opened`,
 * `update`, `draft`, `reset`, `ping`, `end` and `lost({forGood})`.
 */
function sse(address, on) {
  const source = new EventSource(address);
  for (const name of ["update", "draft", "reset", "ping", "end"]) {
    source.addEventListener(name, (event) => on[name](JSON.parse(event.data)));
  }
  source.onopen = () => on.opened();
  source.onerror = () => on.lost({ forGood: source.readyState === EventSource.CLOSED });
  return source;
}

/** Keeps one course coming: a stream, a watchdog over it, and polling as the net under both. */
class Watch {
  #stream = null;
  #turn = 0; // counts connections: what was asked for during an earlier one finds that it is late
  #failures = 0; // in a row, without one event in between
  #timer = null; // until the next connection
  #watchdog = null;
  #heardAt = 0;
  #polling = null; // the token of the loop that may go on
  #wakePoll = () => {};
  #over = new AbortController();

  constructor(courseId, options) {
    const { baseUrl = "", after = 0, timing } = options;
    Object.assign(this, { courseId, options, baseUrl, timing: { ...TIMING, ...timing }, cursor: new Cursor(after) });
    const wake = () => this.#wake();
    const { signal } = this.#over;
    addEventListener("online", wake, { signal });
    addEventListener("pageshow", wake, { signal });
    document.addEventListener("visibilitychange", wake, { signal });
  }

  connect() {
    this.#hangUp();
    this.#turn += 1;
    this.#report("connecting");
    const { seq } = this.cursor;
    this.#stream = sse(`${this.baseUrl}${at(this.courseId, "/events")}${seq ? `?after=${seq}` : ""}`, {
      opened: () => this.#report("live"),
      update: (message) => this.#update(message),
      draft: (draft) => this.#heard() && this.cursor.takeDraft(draft) && this.#tell("onDraft", draft),
      reset: () => this.#reset(),
      ping: () => this.#heard(),
      end: (end) => (end.seq === this.cursor.seq ? this.#finish(end) : this.#lost()),
      lost: ({ forGood }) => this.#lost({ forGood, byItself: !forGood }),
    });
    this.#guard(seq ? this.timing.silenceMs : this.timing.firstEventMs);
  }

  close() {
    this.#hangUp();
    this.#stopPolling();
    this.#report("closed");
    this.#over.abort();
  }

  // --- what a stream says ---

  #heard() {
    this.#heardAt = Date.now();
    this.#failures = 0;
    this.#stopPolling();
    this.#guard(this.timing.silenceMs);
    this.#report("live");
    return true;
  }

  #update(message) {
    this.#heard();
    const verdict = this.cursor.take(message);
    if (verdict === "gap") this.#lost(); // never fold over a hole: read again from the cursor
    if (verdict !== "next") return;
    this.#tell("onUpdate", message);
    // Nothing can follow `complete`. An `error` may be followed by a resume further on: wait for `end`.
    if (message.status === "complete") this.#finish(message);
  }

  #reset() {
    this.#heard();
    this.cursor.restart();
    this.#tell("onReset");
  }

  // --- when it falls silent ---

  async #lost({ forGood = false, byItself = false } = {}) {
    this.#failures += 1;
    if (byItself && this.#failures === 1) {
      this.#guard(this.timing.browserRetryMs);
      return this.#report("waiting");
    }
    this.#hangUp();
    const turn = this.#turn;
    if (forGood) await this.#askWhy();
    if (this.#over.signal.aborted || turn !== this.#turn) return;
    const retryInMs = backoff(this.#failures, this.timing);
    this.#timer = setTimeout(() => this.connect(), retryInMs);
    this.#report("waiting", retryInMs);
    if (this.#failures >= FAILURES_BEFORE_POLLING && !this.#polling) this.#poll();
  }

  async #askWhy() {
    try {
      const view = await fetchStatus(this.courseId, this);
      if (view.status !== "processing" && view.seq === this.cursor.seq) this.#finish(view);
    } catch (error) {
      if (FINAL.includes(error.status)) this.#giveUp(error);
    }
  }

  #guard(afterMs) {
    clearTimeout(this.#watchdog);
    this.#watchdog = setTimeout(() => this.#lost(), afterMs);
  }

  #hangUp() {
    clearTimeout(this.#timer);
    clearTimeout(this.#watchdog);
    this.#timer = null;
    this.#stream?.close();
  }

  /** Network or tab are back: do not sit out a backoff, and do not trust a stream that slept. */
  #wake() {
    if (document.hidden) return;
    this.#wakePoll();
    if (this.#timer !== null || Date.now() - this.#heardAt > this.timing.silenceMs) this.connect();
  }

  // --- polling, the net ---

  async #poll() {
    const mine = (this.#polling = {});
    for (let failures = 0; this.#polling === mine; ) {
      let waitMs;
      try {
        const view = await fetchStatus(this.courseId, this);
        if (this.#polling !== mine) return;
        failures = 0;
        this.#tell("onStatus", view);
        this.#report("polling");
        const course = view.status === "complete" ? await fetchCourse(this.courseId, this) : undefined;
        if (this.#polling !== mine) return;
        if (view.status !== "processing") return this.#finish({ ...view, course });
        waitMs = view.poll_after_ms ?? 2_000;
      } catch (error) {
        if (this.#polling !== mine) return;
        if (FINAL.includes(error.status)) return this.#giveUp(error);
        failures += 1;
        waitMs = error.retryAfterMs ?? backoff(failures, this.timing);
        this.#report("unreachable", waitMs);
      }
      await new Promise((wake) => {
        this.#wakePoll = wake;
        setTimeout(wake, waitMs);
      });
    }
  }

  #stopPolling() {
    this.#polling = null;
    this.#wakePoll();
  }

  // --- telling ---

  #finish({ course_id, seq, status, course }) {
    if (this.#over.signal.aborted) return;
    this.close();
    this.#tell("onEnd", { course_id, seq, status, course });
  }

  #giveUp(error) {
    if (this.#over.signal.aborted) return;
    this.close();
    this.#tell("onError", error);
  }

  #report(state, retryInMs) {
    if (this.#over.signal.aborted) return;
    // While polling keeps the course coming, a stream that still fails is no news.
    if (this.#polling && ["connecting", "live", "waiting"].includes(state)) return;
    if (state === this.reported && !retryInMs) return;
    this.reported = state;
    this.#tell("onConnection", { state, transport: this.#polling ? "polling" : "sse", retryInMs });
  }

  /** An error in a callback is its owner's: report it, and keep watching. */
  #tell(name, value) {
    try {
      this.options[name]?.(value);
    } catch (error) {
      reportError(error);
    }
  }
}

/** One request with a deadline → its JSON, or a CoursecastError. */
async function call(baseUrl, where, init) {
  let response, body;
  try {
    response = await fetch(baseUrl + where, { ...init, signal: AbortSignal.timeout(TIMING.requestMs) });
    body = await response.json().catch((error) => (response.ok ? Promise.reject(error) : {}));
  } catch (cause) {
    throw new CoursecastError({ message: "The server cannot be reached.", cause });
  }
  if (response.ok) return body;
  const { status, headers } = response;
  const retryAfterMs = headers.has("Retry-After") ? Number(headers.get("Retry-After")) * 1000 || undefined : undefined;
  throw new CoursecastError({ code: "http_error", message: `The server answered ${status}.`, ...body.error, status, retryAfterMs });
}

/** Exponential, the upper half drawn at random: viewers lost together do not return together. */
function backoff(failures, { backoffMs, longestBackoffMs }) {
  return Math.min(longestBackoffMs, backoffMs * 2 ** (failures - 1)) * (0.5 + Math.random() / 2);
}

/** `crypto.randomUUID` exists only in secure contexts, `getRandomValues` everywhere. */
function randomKey() {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}
