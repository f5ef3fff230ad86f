/**
 * The Coursecast client: ask for a course and watch it being written. No dependencies, no build step; it takes its
 * neighbours watch, transports, tabs, cursor and http along. coursecast.d.ts tells what one can pass and get.
 *
 *     const { course_id } = await createCourse({ query: "Learn DCF valuation", hours: 2 });
 *     watchCourse(course_id, { onUpdate: (message) => …, onEnd: ({ status }) => … });
 */

import { at, backoff, call } from "./http.js";
import { startWatch } from "./watch.js";

export { Cursor } from "./cursor.js";
export { CoursecastError } from "./http.js";

/** Ask for a course. Tries three times while the server is away; the idempotency key makes that one course. */
export async function createCourse(request, { baseUrl = "", idempotencyKey = randomKey() } = {}) {
  const headers = { "Content-Type": "application/json", "Idempotency-Key": idempotencyKey };
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await call(baseUrl, "/courses", { method: "POST", headers, body: JSON.stringify(request) });
    } catch (error) {
      if (attempt === 3 || ![0, 502, 503, 504].includes(error.status)) throw error;
      await new Promise((done) => setTimeout(done, error.retryAfterMs ?? backoff(attempt)));
    }
  }
}

const request = (method, where) => (id, { baseUrl = "" } = {}) => call(baseUrl, where(id), { method });

export const fetchCourse = request("GET", at);
export const fetchStatus = request("GET", (id) => at(id, "/status"));
export const cancelCourse = request("POST", (id) => at(id, "/cancel"));
/** Let a stopped course go on; watch it again from your cursor. */
export const retryCourse = request("POST", (id) => at(id, "/retry"));
export const deleteCourse = request("DELETE", at);
export const fetchBook = request("GET", (id) => `/books/${encodeURIComponent(id)}`);
export const listCourses = ({ baseUrl = "", limit = 10 } = {}) => call(baseUrl, `/courses?limit=${limit}`);

/**
 * Watch a course from `after` (default 0: the whole log) until it is over or closed; each message comes once and in
 * order. Callbacks: `onUpdate(message)`, `onDraft(draft)`, `onReset()` (the log comes again from 1), `onEnd({course_id,
 * seq, status})`, `onError(error)` (the watch gave up), `onConnection({state, transport, retryAt?,
 * lastEventAt})` with the states connecting, live, polling, waiting, offline, closed. All tabs share one connection,
 * unless `transport` ("sse", or a list) asks for one of this watch's own.
 */
export function watchCourse(courseId, options = {}) {
  const watch = startWatch(courseId, options);
  return {
    close: watch.close,
    get cursor() { return watch.cursor.seq; },
    get connection() { return watch.connection; },
  };
}

/** `crypto.randomUUID` exists only in secure contexts. */
function randomKey() {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}
