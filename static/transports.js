/**
 * Ways in which a course comes: (watch, on) → close. They tell `on`, never before they returned: "open", the names of
 * the wire, "pause" (the browser reconnects) and "lost".
 */

import { at, call, CoursecastError } from "./http.js";
import { tabs } from "./tabs.js";

function sse({ baseUrl, courseId, cursor }, on) {
	const source = new EventSource(`${baseUrl}${at(courseId, "/events")}${cursor ? `?after=${cursor}` : ""}`);
	let spoke = false;
	for (const name of ["update", "draft", "reset", "ping", "end"]) {
		source.addEventListener(name, ({ data }) => {
			spoke = true;
			on(name, JSON.parse(data));
		});
	}
	source.onopen = () => on("open");
	source.onerror = () => {
		// The first drop is left to the browser: only it knows the `retry:` that the server asked for.
		on(spoke && source.readyState === EventSource.CONNECTING ? "pause" : "lost");
		spoke = false;
	};
	return () => source.close();
}

const sockets = new Map(); // base URL → its `/ws`, one for all courses of the page

function websocket(watch, on) {
	const { baseUrl, courseId, timing } = watch;
	let socket = sockets.get(baseUrl);
	const isAlive = socket?.readyState <= WebSocket.OPEN && Date.now() - socket.heardAt < timing.silenceMs;
	if (!isAlive || socket.lines.has(courseId)) sockets.set(baseUrl, (socket = openSocket(baseUrl)));
	const say = (type) => {
		if (socket.readyState === WebSocket.OPEN) socket.send(JSON.stringify({ type, course_id: courseId, after: watch.cursor }));
	};
	socket.lines.set(courseId, { on, say });
	say("subscribe");
	return () => {
		socket.lines.delete(courseId);
		if (socket.lines.size) say("unsubscribe");
		else socket.close();
	};
}

function openSocket(baseUrl) {
	const socket = Object.assign(new WebSocket(`${baseUrl}/ws`), { lines: new Map(), heardAt: Date.now() });
	const tell = (course, ...what) => socket.lines.forEach(({ on }, id) => (course ?? id) === id && on(...what));
	socket.onopen = () => socket.lines.forEach(({ say }) => say("subscribe"));
	socket.onmessage = ({ data }) => {
		const { event, ...value } = JSON.parse(data);
		socket.heardAt = Date.now();
		if (event === "error") tell(value.course_id, "lost"); // the status route knows why
		else tell(value.course_id, event === "subscribed" ? "open" : event, value);
	};
	socket.onclose = ({ code, reason: message }) => {
		// 4400, 4401 and 4404 are final, as the statuses are; 4429 is told to wait.
		const retryAfterMs = code === 4429 ? 10_000 * (1 + Math.random()) : undefined;
		tell(undefined, "lost", new CoursecastError({ status: code - 4000, code: "closed", message, retryAfterMs }));
	};
	return socket;
}

/** Requests that the server keeps until there is news; the first is answered at once. */
const longPoll = (watch, on) => repeat(on, async (signal, round) => {
	await watch.readLog(round && 25, signal);
	on(round ? "ping" : "open");
});

/** The status, as often as the server asks for; the browser's cache sends the ETag. */
const polling = (watch, on) => repeat(on, async (signal) => {
	const view = await call(watch.baseUrl, at(watch.courseId, "/status"), { signal });
	if (view.seq !== watch.cursor || view.status !== "processing") await watch.read();
	on("ping");
	return view.poll_after_ms;
});

/** Repeat `step`, which resolves with the milliseconds to wait, until it fails or is closed. */
function repeat(on, step) {
	const over = new AbortController();
	const next = (round) => over.signal.aborted || step(over.signal, round).then(
		(waitMs) => setTimeout(next, waitMs, round + 1),
		(error) => on("lost", error),
	);
	setTimeout(next, 0, 0);
	return () => over.abort();
}

export const TRANSPORTS = { tabs, sse, websocket, "long-poll": longPoll, polling };
