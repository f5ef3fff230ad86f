/**
 * One connection for all tabs. The tab that holds a Web Lock leads: it watches each course that any tab wants, and
 * passes on what comes over a BroadcastChannel. When it goes, the next one gets the lock and asks what is wanted. A
 * tab that comes late or missed something reads the log by itself.
 */

const NAME = "coursecast ";
const ANSWER_MS = 1_000;
const ALONE = ["sse", "websocket", "long-poll", "polling"];

/** For many courses, or tabs that cannot share: these hold none of a browser's six HTTP connections. */
export const AMONG_OTHERS = ["websocket", "polling"];

/** Locks exist in secure contexts only. */
export const canShare = () => globalThis.document && globalThis.BroadcastChannel && navigator.locks;

const queues = new Map(); // base URL → this page's turn to lead

/** The transport of every tab, also of the leading one: what the leader passes on. */
export function tabs(watch, on) {
  const { baseUrl, courseId, cursor } = watch;
  const channel = new BroadcastChannel(NAME + baseUrl);
  const say = (name) => channel.postMessage({ name, course: courseId, after: cursor.seq });
  channel.onmessage = ({ data: { name, course = courseId, value, after } }) => {
    if (course !== courseId || after !== undefined) return;
    if (name === "ping") say("want");
    on(name, value);
  };
  if (!queues.has(baseUrl)) queues.set(baseUrl, queue(watch));
  queues.get(baseUrl).catch(() => on("lost"));
  say("want");
  return () => {
    say("leave");
    channel.close();
  };
}

function queue(watch) {
  const leaving = new AbortController();
  const { signal } = leaving;
  addEventListener("pagehide", () => leaving.abort(), { once: true });
  signal.onabort = () => queues.delete(watch.baseUrl); // who comes back queues again
  return navigator.locks.request(NAME + watch.baseUrl, { signal }, () => lead(watch, signal));
}

/** Lead until the page is put away. */
function lead({ baseUrl, timing, startWatch }, signal) {
  const channel = new BroadcastChannel(NAME + baseUrl);
  const watches = new Map(); // course → watch
  const post = (name, course, value) => channel.postMessage({ name, course, value });

  function postState(course) {
    const { cursor, connection } = watches.get(course) ?? {};
    if (cursor) post("state", course, { seq: cursor.seq, connection });
  }

  function start(course, after) {
    const transport = watches.size ? AMONG_OTHERS : ALONE;
    const end = (value) => {
      watches.delete(course);
      post("end", course, value);
    };
    watches.forEach((other) => other.use(AMONG_OTHERS));
    watches.set(course, startWatch(course, {
      ...{ baseUrl, timing, transport, after },
      onUpdate: (message) => post("update", course, message),
      onDraft: (draft) => post("draft", course, draft),
      onReset: () => post("reset", course),
      onPing: () => ask(course),
      onConnection: () => postState(course),
      onEnd: end,
      onError: () => end({}), // each asks why
    }));
  }

  /** Ask who still wants a course; stop watching it when nobody answers. */
  function ask(course) {
    const watch = watches.get(course);
    if (!watch) return;
    watch.wanted = false;
    post("ping", course);
    setTimeout(() => {
      if (watch.wanted || watches.get(course) !== watch) return;
      watch.close();
      watches.delete(course);
    }, ANSWER_MS);
  }

  channel.onmessage = ({ data: { name, course, after } }) => {
    if (name === "leave") return ask(course);
    if (name !== "want") return;
    if (!watches.has(course)) start(course, after);
    const watch = watches.get(course);
    watch.wanted = true;
    watch.use(watch.ladder);
    postState(course);
  };
  post("ping");
  return new Promise((resign) => signal.addEventListener("abort", () => {
    watches.forEach((watch) => watch.close());
    channel.close();
    resign();
  }));
}
