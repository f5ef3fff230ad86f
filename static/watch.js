/**
 * Keeps one course coming. What no connection brought is read from the status route, which also judges one that
 * fails: if it is silent too, server or network are away; if not, the next of the ladder is tried, and the better
 * ones again later. A course is over when its log says so, never because a stream ended.
 */

import { Cursor } from "./cursor.js";
import { at, backoff, call } from "./http.js";
import { AMONG_OTHERS } from "./tabs.js";
import { TRANSPORTS } from "./transports.js";

/** The server pings every 15 s; who said nothing for `firstMs` is compared with the status route. */
const TIMING = { firstMs: 4_000, silenceMs: 35_000, browserRetryMs: 6_000, climbMs: 60_000 };
const isFinal = (error) => [400, 401, 403, 404, 410].includes(error?.status);

/** Watch a course from `after` on until it is over or closed; each message comes once, in order. */
export function watchCourse(courseId, { baseUrl = "", after = 0, transport, timing, ...callbacks } = {}) {
	timing = { ...TIMING, ...timing };
	const cursor = new Cursor(after);
	const over = new AbortController();
	const { signal } = over;
	const shared = globalThis.document && navigator.locks ? ["tabs"] : []; // locks exist in secure contexts only
	let ladder = transport ? [transport].flat() : [...shared, ...AMONG_OTHERS];
	let level = 0; // on the ladder
	let line; // the connection that the course comes by
	let better; // one from further up, tried beside it
	let retry; // timer of the next one
	let failures = 0; // in a row
	let reading; // the log, under way
	let connection = {};
	let lastEventAt = Date.now();

	function close() {
		stop();
		clearInterval(climbing);
		report("closed");
		over.abort();
	}

	/** Go on at once, and with these transports: somebody is looking. */
	function use(others = ladder) {
		if (others === ladder && !retry) return;
		ladder = others;
		level = 0;
		connect();
	}

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
			setTimeout(on, 0, "lost");
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
		const isQuiet = line.isOpen && !line.heard && (line.patienceMs *= 2) < timing.silenceMs;
		if (isQuiet) await read().catch(() => {});
		if (!isQuiet || cursor.seq > line.seq) lost(line);
		else if (!line.closed) expect(line, line.patienceMs);
	}

	async function lost(which, error) {
		if (which.closed) return;
		drop(which);
		if (which === better) return climbTo(which.level + 1);
		failures += 1;
		report("waiting");
		const failure = error?.retryAfterMs || isFinal(error) ? error : await read().catch((thrown) => thrown);
		if (signal.aborted || line !== which) return; // over, or connected again meanwhile
		if (isFinal(failure)) return end("onError", failure);
		const next = (!failure || failure === error) && (!which.heard || failures > 1) && level + 1 < ladder.length;
		if (next) level += 1;
		if (next && !failure) return connect();
		const waitMs = failure?.retryAfterMs ?? backoff(failures, timing);
		retry = setTimeout(connect, waitMs);
		report("waiting", { retryAt: Date.now() + waitMs });
	}

	/** Network or tab are back: do not wait, nor trust a connection that slept. */
	function wake({ persisted }) {
		if (document.hidden) return;
		const isStale = persisted || Date.now() - lastEventAt > timing.silenceMs;
		if (isStale || ["waiting", "offline"].includes(connection.state)) connect();
		else if (!better) climbTo(0);
	}

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
		else if (verdict === "next") tell("onUpdate", message);
		// Nothing can follow `complete`; an `error` may be followed by a resume: wait for `end`.
		if (message.status === "complete") finish(message);
	}

	function reset() {
		cursor.restart();
		tell("onReset");
	}

	/** Never fold over a hole. A read that is under way may have begun too early. */
	async function catchUp(seq) {
		for (let i = 0; i < 2 && seq > cursor.seq; i += 1) await read().catch(() => lost(line));
	}

	/** Read the log from the cursor on; once for all who ask meanwhile. */
	const read = () => (reading ??= readLog(0, signal).finally(() => (reading = undefined)));

	async function readLog(waitS, signal) {
		const where = at(courseId, `/status?after=${cursor.seq}&wait_s=${waitS}`);
		const view = await call(baseUrl, where, { signal, timeoutMs: (waitS + 15) * 1000 });
		if (view.reset) reset();
		view.events.forEach(take);
		if (view.more) return readLog(waitS, signal);
		if (view.status !== "processing") finish(view, true);
	}

	/** Over, if the last entry of the log was read and says so. */
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
		if (state === "live" && transport === "tabs") return; // the leading tab tells
		if (state === "live" && transport === "polling") state = "polling";
		if (state === "waiting" && navigator.onLine === false) state = "offline";
		const now = { state, transport: transport === "tabs" ? null : transport, retryAt };
		if (String(Object.values(now)) === String(Object.values(connection)) || signal.aborted) return;
		connection = now;
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
		courseId, baseUrl, timing, read, readLog, use, close, watchCourse,
		get cursor() { return cursor.seq; },
		get connection() { return { ...connection, lastEventAt }; },
	};
	for (const name of globalThis.document ? ["online", "pageshow", "visibilitychange"] : []) {
		addEventListener(name, wake, { signal, capture: true });
	}
	const climbing = setInterval(() => better ?? climbTo(0), timing.climbMs * (0.5 + Math.random()));
	connect();
	return watch;
}
