export const at = (courseId, rest = "") => `/courses/${encodeURIComponent(courseId)}${rest}`;

/** Any answer but success: `status` (0: none), `code`, `field?`, `retryAfterMs?`. */
export class CoursecastError extends Error {
	constructor({ message, ...facts }) {
		super(message);
		Object.assign(this, { name: "CoursecastError", status: 0, code: "unreachable", ...facts });
	}
}

/** One request with a deadline → its JSON. */
export async function call(baseUrl, where, { timeoutMs = 15_000, signal, ...init } = {}) {
	const signals = [AbortSignal.timeout(timeoutMs), signal].filter(Boolean);
	let response, body;
	try {
		response = await fetch(baseUrl + where, { ...init, signal: AbortSignal.any(signals) });
		if (response.status === 204) return null;
		body = await response.json().catch((error) => { if (response.ok) throw error; });
	} catch (cause) {
		throw new CoursecastError({ message: "The server cannot be reached.", cause });
	}
	if (response.ok) return body;
	const { status, headers } = response;
	const retryAfterMs = headers.get("Retry-After") * 1000 || undefined;
	throw new CoursecastError({ code: "http_error", message: `The server answered ${status}.`, ...body?.error, status, retryAfterMs });
}

/** Full jitter: viewers lost together do not return together. */
export const backoff = (failures, { backoffMs = 1_000, longestBackoffMs = 30_000 } = {}) =>
	Math.random() * Math.min(longestBackoffMs, backoffMs * 2 ** (failures - 1));
