/** The Coursecast client, with its neighbours watch, transports, tabs, cursor and http; coursecast.d.ts explains it. */

import { at, backoff, call } from "./http.js";

export { Cursor } from "./cursor.js";
export { CoursecastError } from "./http.js";
export { watchCourse } from "./watch.js";

/** Ask for a course. Tries three times while the server is away; the idempotency key makes that one course. */
export async function createCourse(request, { baseUrl = "", idempotencyKey } = {}) {
	idempotencyKey ??= crypto.getRandomValues(new Uint32Array(4)).join("-");
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
