/** Draws a course, again and again. */

import { PHASES } from "./course.js";
import { $, differ, glide, h, isLink, keyed, keyedLines, line, outside, reveal, setText } from "./dom.js";
import { failureText, minutesText, nowText, percentText, qualityTexts, reached, tickText, timeText } from "./words.js";

/** `urls`: book id → its address; `live`: somebody sees it grow → whether there is more to draw. */
export function drawCourse(course, urls, live, tick) {
	let more;
	glide(() => {
		for (const draw of [drawHead, drawPhases, drawProgress, drawBooks]) draw(course, urls);
		more = drawParts(course);
		tick?.();
		if (!more) $("course").dataset.status = course.status;
	});
	reveal($("course").querySelectorAll("#phases .done, #spines li, .book, .part, .section, #quality:not([hidden])"), live);
	return more;
}

export function drawHead({ title, query, hours, preferences: { depth, pace }, failure, parts }) {
	setText($("title"), title || query || "Your course");
	const [asked, wishes] = $("asked").children;
	setText(asked, query && `“${query}”`);
	const budget = hours && minutesText(Math.round(hours * 60));
	setText(wishes, [" ", budget, depth, pace && `${pace} pace`].filter(Boolean).join(" · "));
	document.querySelector(".change").href = `/?${new URLSearchParams({ query, hours })}`;

	$("failure").hidden = !failure;
	$("retry").hidden = !failure?.retryable;
	if (failure) [failureText(failure), failure.error].forEach((text, i) => setText($("failure").children[i], text));

	keyed($("spines"), parts, "part_index", (element, { part_index: index, title: name, estimated_minutes: minutes, sections }) => {
		element.style.setProperty("--minutes", minutes);
		element.style.setProperty("--n", index);
		element.className = sections ? "written" : "";
		element.replaceChildren(h("a", { href: `#part-${index + 1}`, title: name, "aria-label": `Part ${index + 1}, ${minutesText(minutes)}` },
			h("b", {}, index + 1), minutesText(minutes)));
	});
}

function drawPhases(course) {
	const now = PHASES.indexOf(course.phase);
	PHASES.forEach((phase, i) => {
		const row = $("phases").children[i];
		const took = reached(course, PHASES[i + 1]) - reached(course, phase);
		row.className = i > now ? "" : i < now || i === 4 ? "done" : course.failure ? "stopped" : "current";
		row.ariaCurrent = row.className === "current" ? "step" : null;
		const stamps = { "": "", done: took >= 0 ? timeText(took) : "✓", stopped: "stopped" };
		setText(row.lastElementChild, stamps[row.className] ?? row.lastElementChild.textContent);
	});
}

/** `elapsedMs`: since the course was asked for. */
export function drawClock(course, elapsedMs) {
	const stamp = $("phases").querySelector(".current b");
	if (stamp) setText(stamp, tickText(elapsedMs - reached(course, course.phase) || 0));
}

function drawProgress(course) {
	const { status, percent, courseId, quality } = course;
	$("percent").value = percent;
	setText($("percent").nextElementSibling, `${percent} %`);
	setText($("now"), nowText(course));
	$("cancel").hidden = status !== "processing";
	$("delete").hidden = status === "processing";
	$("keep").hidden = status !== "complete";
	$("download").href = `/courses/${courseId}.md`;
	$("quality").hidden = !quality;
	if (quality) keyedLines($("quality").lastElementChild, qualityTexts(course));
}

function drawBooks({ books, failure }, urls) {
	$("found").hidden = failure && !books.length;
	const cards = books.map((book) => ({ ...book, url: urls.get(book.book_id) }));
	keyed($("books"), cards, "book_id", (element, { url, book_title: title, score, chapters }) => {
		element.className = "book block";
		element.replaceChildren(
			h("h3", {}, outside(url, title)),
			h("p", {}, h("progress", { value: score, "aria-hidden": true }), `${percentText(score)} match`),
			h("p.chapter", { text: chapters.map((chapter) => chapter.chapter_title).join(" · ") }));
	});
}

function drawParts({ parts, drafts, status }) {
	const writing = status === "processing";
	$("plan").classList.toggle("lines", writing && !parts.length);
	keyedLines($("plan"), typed(drafts.parts).slice(-6));
	let room = 1; // changed parts in a turn: several outlast a frame
	const entries = parts.map(({ sections, ...part }, i) => {
		const before = $("parts").children[i]?.drawn.sections ?? null;
		const shown = differ(before, sections) && room-- < 1 ? before : sections;
		return { ...part, sections: shown, drafts: typed(drafts[`sections:${part.part_index}`]), waiting: !shown && (writing || !!sections) };
	});
	keyed($("parts"), entries, "part_index", fillPart);
	return room < 0;
}

/** The titles of a partial result, and what is being typed. */
function typed(value) {
	const list = value?.parts ?? value?.sections;
	if (!Array.isArray(list)) return [];
	const last = list.at(-1);
	const texts = [...list.map((entry) => entry?.title), last?.why ?? last?.content_summary];
	return texts.filter((text) => text && typeof text === "string");
}

function fillPart(element, part) {
	const number = part.part_index + 1;
	if (!element.firstChild) {
		element.className = "part block";
		element.id = `part-${number}`;
		element.append(
			h("header", {},
				h("p.number", {}, `Part ${number}`),
				h("h2", { dir: "auto" }),
				h("p.minutes"),
				h("p.why", { dir: "auto" })),
			h("ul.drafts", { "aria-label": "Sections being written" }),
			h("ol"));
	}
	const [header, drafts, sections] = element.children;
	const [, title, minutes, why] = header.children;
	setText(title, part.title);
	setText(minutes, minutesText(part.estimated_minutes));
	setText(why, part.why);
	drafts.classList.toggle("lines", part.waiting);
	keyedLines(drafts, part.drafts);
	keyed(sections, part.sections ?? [], "order_index", fillSection);
}

function fillSection(element, section) {
	const { prerequisites } = section;
	element.className = "section";
	element.replaceChildren(
		h("h3", {}, h("span.number", {}, `${section.part_index + 1}.${section.order_index + 1}`), h("span", { text: section.title })),
		h("p.minutes", {}, minutesText(section.estimated_minutes)),
		h("p", { text: section.content_summary }),
		h("ul.objectives", { "aria-label": "Objectives" }, ...section.learning_objectives.map((text) => h("li", { text }))),
		h("p.builds-on", {}, ...(prerequisites.length ? ["Builds on: ", ...line(...prerequisites)] : [])),
		h("ul.sources", { "aria-label": "Sources" }, ...section.sources.map((source) => h("li", {},
			outside(source.url, source.book_title),
			h("span.where", {},
				...line(`ch. ${source.chapter_number} ${source.chapter_title}`, source.section_title,
					!isLink(source.url) && source.url, minutesText(source.minutes))),
			h("span.why", { text: source.why })))));
}
