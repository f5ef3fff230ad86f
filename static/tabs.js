/**
 * One connection for all tabs. The tab that holds a Web Lock leads: it watches what any tab wants, and passes it on.
 * When it goes, the next one gets the lock. A tab that comes late or missed something reads the log by itself.
 */

const ALONE = ["sse", "websocket", "long-poll", "polling"];

/** For many courses, or tabs that cannot share: they hold none of a browser's six HTTP connections. */
export const AMONG_OTHERS = ["websocket", "polling"];

const queues = new Map(); // base URL → this page's turn to lead

const channelTo = (baseUrl) => new BroadcastChannel(`coursecast ${baseUrl}`);

/** The transport of every tab, also of the leading one. */
export function tabs(watch, on) {
	const { baseUrl, courseId } = watch;
	const channel = channelTo(baseUrl);
	const say = (name) => channel.postMessage({ name, course: courseId, after: watch.cursor });
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
	const leave = () => queues.delete(watch.baseUrl) && leaving.abort(); // who comes back queues again
	addEventListener("pagehide", leave, { once: true });
	return navigator.locks.request(`coursecast ${watch.baseUrl}`, { signal }, () => lead(watch, signal));
}

/** Lead until the page is put away. */
function lead({ baseUrl, timing, watchCourse }, signal) {
	const channel = channelTo(baseUrl);
	const watches = new Map(); // course → watch
	const post = (name, course, value) => channel.postMessage({ name, course, value });

	function postState(course) {
		const watch = watches.get(course);
		if (watch) post("state", course, { seq: watch.cursor, connection: watch.connection });
	}

	function start(course, after) {
		const transport = watches.size ? AMONG_OTHERS : ALONE;
		const pass = (name) => (value) => post(name, course, value);
		const end = (value) => {
			watches.delete(course);
			post("end", course, value);
		};
		watches.forEach((other) => other.use(AMONG_OTHERS));
		watches.set(course, watchCourse(course, {
			baseUrl, timing, transport, after,
			onUpdate: pass("update"),
			onDraft: pass("draft"),
			onReset: pass("reset"),
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
			watches.delete(course);
			watch.close();
		}, 1_000);
	}

	channel.onmessage = ({ data: { name, course, after } }) => {
		if (name === "leave") return ask(course);
		if (name !== "want") return;
		if (!watches.has(course)) start(course, after);
		const watch = watches.get(course);
		watch.wanted = true;
		watch.use();
		postState(course);
	};
	post("ping");
	return new Promise((resign) => signal.addEventListener("abort", () => {
		for (const [course, watch] of watches) {
			watches.delete(course); // the others are not told: the next leader goes on
			watch.close();
		}
		channel.close();
		resign();
	}));
}
