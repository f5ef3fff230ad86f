/** One course on the page, and the buttons that act on it. */

import { cancelCourse, fetchBook, retryCourse, watchCourse } from "./coursecast.js";
import { emptyCourse, fold, foldDraft } from "./course.js";
import { $, inFrame, setText } from "./dom.js";
import { copyFrom, deleteIfSure, say, whileBusy } from "./buttons.js";
import { drawClock, drawCourse, drawHead } from "./view.js";
import { connectionText, failureText, nowText } from "./words.js";

/** Show course `id` until the function returned is called; `known`: what was just asked for. */
export function follow(id, known, onDeleted) {
	let course = emptyCourse(id, known);
	let watch, timer, spoken, over;
	const urls = new Map(); // book id → where it can be read

	function change(next) {
		course = next;
		timer ??= setTimeout(() => over || inFrame(draw), 16); // once a frame
		for (const { book_id: book } of course.books) if (!urls.has(book)) findBook(book);
	}

	function draw() {
		if (over) return;
		timer = undefined;
		const focused = document.activeElement;
		if (drawCourse(course, urls, known, tick)) change(course);
		if (focused.closest("#course [hidden]")) $(course.failure ? "failure" : "course").querySelector("[tabindex]").focus();
		announce();
		document.title = tabTitle(course);
	}

	function tick() {
		drawClock(course, Date.now() - Date.parse(course.startedAt));
		if (!watch) return;
		$("connection").dataset.state = watch.connection.state;
		setText($("connection"), connectionText(watch.connection));
	}

	function announce() {
		const news = `${course.phase} ${course.status}`;
		if (news === spoken || !course.seq) return;
		spoken = news;
		say(course.failure ? `${failureText(course.failure)}. ${course.failure.error}` : nowText(course));
	}

	async function findBook(book) {
		urls.set(book);
		urls.set(book, (await fetchBook(book).catch(() => ({}))).url);
		change(course);
	}

	function begin() {
		watch = watchCourse(id, {
			after: course.seq,
			onUpdate: (message) => change(fold(course, message)),
			onDraft: (draft) => change(foldDraft(course, draft)),
			onReset: () => change(emptyCourse(id)),
			onError: showMissing,
			onConnection: () => change(course),
		});
	}

	function showMissing({ status, message }) {
		over = true;
		$("course").dataset.status = "missing";
		setText($("title"), status === 404 ? "There is no such course" : message);
		if (status === 404) setText($("asked").lastElementChild, "It was deleted, or its address is incomplete.");
		document.title = $("title").textContent;
		$("title").focus();
	}

	/** The course answers through its log. */
	const act = ({ target }, label, action) => whileBusy(target, label, async () => {
		try {
			await action(id);
			if (!over && course.status !== "processing") begin(); // it had ended
		} catch ({ message }) {
			setText($("now"), message);
			say(message);
		}
	});
	$("cancel").onclick = (event) => act(event, "Cancelling…", cancelCourse);
	$("retry").onclick = (event) => act(event, "Starting again…", retryCourse);
	$("copy").onclick = () => copyFrom($("download").href, $("copy"));
	$("delete").onclick = async () => (await deleteIfSure(course.title || course.query, id)) && onDeleted();
	const clock = setInterval(() => course.status === "processing" && tick(), 1000);
	drawHead(course); // it gets focus
	inFrame(draw);
	begin();
	return () => {
		over = true;
		clearInterval(clock);
		watch.close();
	};
}

function tabTitle({ title, query, status, percent }) {
	const state = { processing: `${percent} % · `, error: "Stopped · " }[status] ?? "";
	return `${state}\u2068${title || query}\u2069 · Coursecast`;
}
