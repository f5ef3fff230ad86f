/**
 * Keeps one course coming. The log is the truth and the cursor the place in it: what two connections bring counts
 * once, what none brought is read from the status route. That route also judges one that fails: if it is silent too,
 * server or network are away, and the watch waits; if not, the next of the ladder is tried. Better ones are tried
 * again later, beside the one that works. A course is over when its log says so, never because a stream ended.
 */

import { Cursor } from "./cursor.js";
import { at, backoff, call } from "./http.js";
import { AMONG_OTHERS, canShare } from "./tabs.js";
import { TRANSPORTS } from "./transports.js";

/** The server pings every 15 s. `firstMs`: until a connection that said nothing is compared with the status route. */
const TIMING = { firstMs: 4_000, silenceMs: 35_000, browserRetryMs: 6_000, climbMs: 60_000 };
const isFinal = (error) => [400, 401, 403, 404, 410].includes(error?.status);

export function startWatch(courseId, { baseUrl = "", after = 0, transport, timing, ...callbacks }) {
  timing = { ...TIMING, ...timing };
  const cursor = new Cursor(after);
  const over = new AbortController();
  const { signal } = over;
  let ladder = transport ? [transport].flat() : canShare() ? ["tabs", ...AMONG_OTHERS] : AMONG_OTHERS;
  let level = 0; // on the ladder
  let line; // the connection that the course comes by
  let better; // one from further up, tried beside it
  let failures = 0; // in a row
  let retry; // timer of the next connection
  let reading; // the log, under way
  let connection;
  let lastEventAt = Date.now();

  function close() {
    stop();
    report("closed");
    over.abort();
  }

  /** Go on with these transports, and at once: somebody is looking. */
  function use(others) {
    if (others === ladder && !retry) return;
    ladder = others;
    level = 0;
    connect();
  }

  // --- connections ---

  function connect() {
    stop();
    report("connecting");
    line = open(level);
  }

  function stop() {
    clearTimeout(retry);
    drop(line);
    drop(better);
    retry = better = undefined;
  }

  function open(level) {
    const line = { level, seq: cursor.seq, patienceMs: timing.firstMs };
    const on = (name, value) => line.closed || hear(line, name, value);
    try {
      line.close = TRANSPORTS[ladder[level]](watch, on);
    } catch {
      setTimeout(on, 0, "lost"); // there is no such thing here
    }
    expect(line, line.patienceMs);
    return line;
  }

  function drop(line) {
    if (!line || line.closed) return;
    line.closed = true;
    clearTimeout(line.guard);
    line.close?.();
  }

  function climbTo(higher) {
    drop(better);
    better = higher < level ? open(higher) : undefined;
  }

  function expect(line, ms) {
    clearTimeout(line.guard);
    line.guard = setTimeout(silent, ms, line);
  }

  /** Nothing came: is there nothing to say, or is it kept back on the way? */
  async function silent(line) {
    line.patienceMs = line.isOpen && !line.heard ? line.patienceMs * 2 : Infinity;
    const isLate = line.patienceMs > timing.silenceMs;
    if (!isLate) await read().catch(() => {});
    if (isLate || cursor.seq > line.seq) lost(line);
    else if (!line.closed) expect(line, line.patienceMs);
  }

  async function lost(which, { error, waitMs = error?.retryAfterMs } = {}) {
    if (which.closed) return;
    drop(which);
    if (which === better) return climbTo(which.level + 1);
    failures += 1;
    report("waiting");
    const failure = waitMs || isFinal(error) ? error : await read().catch((thrown) => thrown);
    if (signal.aborted || line !== which) return; // over, or connected again meanwhile
    if (isFinal(failure)) return end("onError", failure);
    waitMs ??= failure?.retryAfterMs;
    if ((!failure || failure === error) && (!which.heard || failures > 1) && level + 1 < ladder.length) {
      level += 1;
      if (!waitMs) return connect();
    }
    waitMs ??= backoff(failures, timing);
    retry = setTimeout(connect, waitMs);
    report("waiting", { retryAt: Date.now() + waitMs });
  }

  /** Network or tab are back: do not wait, and do not trust a connection that slept. */
  function wake({ persisted }) {
    if (document.hidden) return;
    const isStale = persisted || Date.now() - lastEventAt > timing.silenceMs;
    if (isStale || ["waiting", "offline"].includes(connection.state)) connect();
    else if (!better) climbTo(0);
  }

  // --- what they say ---

  function hear(which, name, value) {
    if (name === "lost") return lost(which, value);
    which.isOpen = true;
    if (name === "open") return which === line && report("live");
    if (name === "pause") {
      expect(which, timing.browserRetryMs);
      return report("waiting");
    }
    alive(which);
    if (name === "update") take(value);
    if (name === "draft" && cursor.takeDraft(value)) tell("onDraft", value);
    if (name === "reset") reset();
    if (name === "ping") tell("onPing");
    if (name === "end" && !finish(value)) read().catch(() => {}).then(() => lost(which));
    if (name !== "state") return report("live");
    report(value.connection.state, value.connection);
    catchUp(value.seq);
  }

  function alive(which) {
    which.heard = true;
    lastEventAt = Date.now();
    failures = 0;
    if (which === better) {
      better = undefined;
      stop();
      line = which;
      level = which.level;
    }
    expect(which, timing.silenceMs);
  }

  function take(message) {
    const verdict = cursor.take(message);
    if (verdict === "gap") catchUp(message.seq);
    if (verdict !== "next") return;
    tell("onUpdate", message);
    // Nothing can follow `complete`. An `error` may be followed by a resume further on: wait for `end`.
    if (message.status === "complete") finish(message);
  }

  function reset() {
    cursor.restart();
    tell("onReset");
  }

  /** Never fold over a hole: read the log up to `seq`; a read that is under way may have begun too early. */
  async function catchUp(seq) {
    for (let i = 0; i < 2 && seq > cursor.seq; i += 1) await read().catch(() => lost(line));
  }

  /** Read the log from the cursor on; `waitS`: how long to wait for news. */
  function read(waitS = 0, stopped = signal) {
    if (waitS) return readLog(waitS, stopped);
    reading ??= readLog(0, signal).finally(() => (reading = undefined));
    return reading;
  }

  async function readLog(waitS, signal) {
    const where = at(courseId, `/status?after=${cursor.seq}&wait_s=${waitS}`);
    const view = await call(baseUrl, where, { signal, timeoutMs: (waitS + 15) * 1000 });
    if (view.reset) reset();
    view.events.forEach(take);
    if (view.more) return readLog(waitS, signal);
    if (view.status !== "processing") finish(view, true);
  }

  // --- telling ---

  /** Over, if the log was read up to its last entry, which says so. */
  function finish({ course_id, seq, status }, isLast = cursor.stopped) {
    const isOver = isLast && seq === cursor.seq;
    if (isOver) end("onEnd", { course_id, seq, status });
    return isOver;
  }

  function end(name, value) {
    if (signal.aborted) return;
    close();
    callbacks[name]?.(value);
  }

  function report(state, { retryAt, transport = ladder[level] } = {}) {
    if (transport === "tabs") {
      if (state === "live") return; // the leading tab tells
      transport = null;
    }
    if (state === "live" && transport === "polling") state = "polling";
    if (state === "waiting" && globalThis.navigator?.onLine === false) state = "offline";
    const before = connection;
    if (before?.state === state && before.transport === transport && before.retryAt === retryAt) return;
    connection = { state, transport, retryAt };
    tell("onConnection", watch.connection);
  }

  /** An error in a callback is its owner's: report it, and keep watching. */
  function tell(name, value) {
    if (signal.aborted) return;
    try {
      callbacks[name]?.(value);
    } catch (error) {
      reportError(error);
    }
  }

  const watch = {
    ...{ courseId, baseUrl, timing, cursor, read, use, close, startWatch },
    get ladder() { return ladder; },
    get connection() { return { ...connection, lastEventAt }; },
  };
  for (const name of globalThis.document ? ["online", "pageshow", "visibilitychange"] : []) {
    addEventListener(name, wake, { signal, capture: true });
  }
  const climbing = setInterval(climbTo, timing.climbMs * (0.5 + Math.random()), 0);
  signal.onabort = () => clearInterval(climbing);
  connect();
  return watch;
}
