/**
 * Draws a course. Keyed and idempotent: what is already there stays the same element, so that nothing jumps
 * and no focus is lost. Text of models and books is set through `textContent` only, links lead to http(s) only.
 */

import { PHASES, secondsUntil } from "./course.js";

const PHASE_NAMES = ["Request", "Library", "Writing", "Review", "Ready"];
const FAILURES = {
  cancelled: "Cancelled",
  no_relevant_books: "Not in the library",
  author_unavailable: "The author cannot be reached",
  timeout: "This took too long",
};
const CONNECTIONS = {
  connecting: "Connecting…",
  live: "Live",
  waiting: "Connection lost; the work goes on.",
  polling: "Checking every few seconds",
  unreachable: "The server cannot be reached.",
  closed: "",
};

export const $ = (id) => document.getElementById(id);
const setText = (element, text) => element.textContent !== text && (element.textContent = text);
const plural = (count, word) => `${count} ${word}${count === 1 ? "" : "s"}`;
const percentText = (share) => `${Math.round(share * 100)} %`;

const secondsText = (seconds) => (seconds < 1 ? `${Math.round(seconds * 1000)} ms` : `${seconds.toFixed(1)} s`);

function minutesText(minutes) {
  const rest = minutes % 60;
  return minutes < 60 ? `${minutes} min` : `${(minutes - rest) / 60} h${rest ? ` ${rest} min` : ""}`;
}

/** An element with attributes, `text` or children. Text from outside may run right to left. */
export function h(tag, { text, ...attributes } = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  if (text) element.dir = "auto";
  element.append(...(text ? [text] : children.flat()));
  return element;
}

/** `url` if it is an absolute http(s) address, else null. */
export function safeUrl(url) {
  try {
    const { protocol, href } = new URL(url);
    return /^https?:$/.test(protocol) ? href : null;
  } catch {
    return null;
  }
}

/** A link that opens a new tab; plain text where the address is not http(s). */
function outside(url, text) {
  const href = safeUrl(url);
  return href ? h("a", { href, text, target: "_blank", rel: "noopener noreferrer" }) : h("span", { text });
}

/**
 * Make the children of `parent` the `items`, one element per key, in order. `fill(element, item)` runs for new
 * elements and for those whose item changed.
 */
export function keyed(parent, items, keyOf, create, fill) {
  const known = parent.keyed ?? new Map();
  parent.keyed = new Map();
  let place = parent.firstElementChild;
  for (const item of items) {
    const key = keyOf(item);
    const element = known.get(key) ?? create(item);
    known.delete(key);
    parent.keyed.set(key, element);
    const json = JSON.stringify(item);
    if (element.drawn !== json) fill(element, item);
    element.drawn = json;
    if (element === place) place = place.nextElementSibling;
    else parent.insertBefore(element, place);
  }
  for (const element of known.values()) element.remove();
}

function drawLines(list, texts) {
  const lines = texts.map((text, index) => ({ text, index }));
  keyed(list, lines, ({ index }) => index, () => h("li", { dir: "auto" }), (element, { text }) => setText(element, text));
}

/** Draw everything that depends on the course. `urls`: book id → where it can be read. */
export const drawCourse = (course, urls) => glide(() => {
  setText($("course-title"), course.title || course.drafts.review?.title || course.query || "Your course");
  setText($("asked"), askedText(course));
  drawSpines(course);
  drawProgress(course);
  drawBooks(course, urls);
  drawParts(course);
  drawQuality(course);
});

/**
 * Run `draw` so that nobody loses the line: the part at the top of a scrolled window stays there, and what was
 * pushed aside glides from its old place to the new one.
 */
function glide(draw) {
  const top = (block) => block.getBoundingClientRect().top;
  const blocks = [...document.querySelectorAll("#course .block")];
  const before = new Map(blocks.map((block) => [block, top(block)]));
  const read = scrollY > 0 && blocks.findLast((block) => block.matches(".part") && before.get(block) < innerHeight / 3);
  draw();
  if (read) scrollBy({ top: top(read) - before.get(read), behavior: "instant" });
  if (document.hidden || matchMedia("(prefers-reduced-motion: reduce)").matches) return;
  const left = blocks.filter((block) => block.isConnected);
  const moved = new Map(left.map((block) => [block, before.get(block) - top(block)]));
  for (const [block, distance] of moved) {
    const own = distance - (moved.get(block.parentElement.closest(".block")) ?? 0);
    // "add": what still glides from before goes on, and this comes on top.
    const how = { duration: 250, easing: "ease-out", composite: "add" };
    if (Math.abs(own) >= 1) block.animate({ translate: [`0 ${own}px`, "0 0"] }, how);
  }
}

/** What was asked for: a line that stays the same while the course is written. */
function askedText({ query, hours, preferences: { depth, pace } }) {
  const time = `${plural(hours, "hour")}, ${plural(Math.floor(hours * 60 + 0.5), "minute")}`;
  return [`“${query}”`, time, depth, pace && `${pace} pace`].filter(Boolean).join(" · ");
}

// --- progress ---

function drawProgress(course) {
  const { status, failure, percent, query, hours } = course;
  drawPhases(course);
  $("course").dataset.status = status;
  $("percent").value = percent;
  setText($("percent-text"), `${percent} %`);
  setText($("now"), nowText(course));
  $("cancel").hidden = status !== "processing";
  $("retry").hidden = !failure?.retryable;
  $("change").hidden = $("failure").hidden = !failure;
  $("change").href = `/?${new URLSearchParams({ query, hours })}`;
  const [title, sentence] = $("failure").children;
  setText(title, FAILURES[failure?.error_code] ?? "The course could not be finished");
  setText(sentence, failure?.error ?? "");
}

function drawPhases(course) {
  const now = PHASES.indexOf(course.phase);
  const rows = PHASES.map((phase, index) => {
    if (index > now) return { phase, state: "ahead", stamp: "" };
    if (index === now && course.failure) return { phase, state: "stopped", stamp: "stopped" };
    if (index === now && course.status !== "complete") return { phase, state: "current", stamp: "now" };
    const seconds = secondsUntil(course, PHASES[index + 1]);
    return { phase, state: "done", stamp: seconds === null ? "✓" : secondsText(seconds) };
  });
  keyed($("phases"), rows, ({ phase }) => phase, () => h("li"), (element, { phase, state, stamp }) => {
    element.className = state;
    element.ariaCurrent = state === "current" ? "step" : null;
    element.replaceChildren(PHASE_NAMES[PHASES.indexOf(phase)], h("span", { class: "stamp", text: stamp }));
  });
}

/** One sentence about what is going on; it is also what a screen reader hears. */
export function nowText(course) {
  if (course.failure) return course.failure.error_code === "cancelled" ? "Cancelled." : "Stopped.";
  const seconds = secondsUntil(course, "complete");
  return {
    initializing: "Reading your request…",
    searching_books: "Searching the library…",
    generating_sections: course.parts.length
      ? `Writing sections: ${course.partsDone} of ${plural(course.parts.length, "part")} done`
      : "Planning the parts…",
    reviewing_outline: "Checking the whole outline…",
    complete: `Your course is ready${seconds === null ? "" : `, written in ${secondsText(seconds)}`}.`,
  }[course.phase];
}

/** The line under the bar: how the course reaches this page right now. */
export function drawConnection({ state, retryInMs }) {
  $("connection").dataset.state = state;
  const soon = retryInMs ? ` Trying again in ${Math.ceil(retryInMs / 1000)} s.` : "";
  setText($("connection"), CONNECTIONS[state] + soon);
}

// --- books and the time budget ---

function drawBooks({ books }, urls) {
  $("found").hidden = books.length === 0;
  const cards = books.map((book) => ({ ...book, url: urls.get(book.book_id) }));
  keyed($("books"), cards, (book) => book.book_id, () => h("li", { class: "book block" }), (element, book) => {
    const chapters = book.chapters.slice(0, 2).map((chapter) => `${chapter.chapter_number} ${chapter.chapter_title}`);
    const more = book.chapters.length - chapters.length;
    if (more > 0) chapters.push(`and ${plural(more, "more chapter")}`);
    const match = h("span", { class: "match" });
    match.style.setProperty("--share", `${book.score * 100}%`);
    element.replaceChildren(
      h("h3", {}, outside(book.url, book.book_title)),
      h("p", { class: "score" }, match, `${percentText(book.score)} match`),
      ...chapters.map((text) => h("p", { class: "chapter", text })),
    );
  });
}

function drawSpines({ parts }) {
  keyed($("spines"), parts, (part) => part.part_index, () => h("li"), (element, part) => {
    const number = part.part_index + 1;
    element.style.setProperty("--minutes", part.estimated_minutes);
    element.className = part.sections ? "written" : "";
    element.replaceChildren(
      h("a", { href: `#part-${number}`, title: part.title },
        h("b", {}, `${number}`),
        h("span", {}, minutesText(part.estimated_minutes)),
        h("span", { class: "spoken", text: part.title })),
    );
  });
}

// --- the outline ---

function drawParts({ parts, drafts, status }) {
  drawLines($("draft-parts"), titlesOf(drafts.parts));
  const entries = parts.map((part) => ({
    ...part,
    drafts: titlesOf(drafts[`sections:${part.part_index}`]),
    waiting: !part.sections && status === "processing",
  }));
  keyed($("parts"), entries, (part) => part.part_index, createPart, fillPart);
}

/** Titles in a partial result, whatever of it is there: `{parts: […]}` or `{sections: […]}`. */
function titlesOf(value) {
  const list = value?.parts ?? value?.sections;
  return Array.isArray(list) ? list.map((entry) => entry?.title).filter((title) => title && typeof title === "string") : [];
}

function createPart({ part_index: index }) {
  return h("li", { class: "part block", id: `part-${index + 1}` },
    h("header", {},
      h("p", { class: "number" }, `Part ${index + 1}`),
      h("h2", { dir: "auto" }),
      h("p", { class: "minutes" }),
      h("p", { class: "why", dir: "auto" })),
    h("ul", { class: "drafts" }),
    h("ol", { class: "sections" }));
}

function fillPart(element, part) {
  const [header, drafts, sections] = element.children;
  const [, title, minutes, why] = header.children;
  setText(title, part.title);
  setText(minutes, minutesText(part.estimated_minutes));
  setText(why, part.why);
  element.classList.toggle("waiting", part.waiting);
  drawLines(drafts, part.drafts);
  keyed(sections, part.sections ?? [], (section) => section.order_index, () => h("li", { class: "section" }), fillSection);
}

function fillSection(element, section) {
  const { prerequisites, learning_objectives: objectives, sources } = section;
  element.replaceChildren(
    h("h3", {},
      h("span", { class: "number" }, `${section.part_index + 1}.${section.order_index + 1}`),
      h("span", { text: section.title })),
    h("p", { class: "minutes" }, minutesText(section.estimated_minutes)),
    h("p", { class: "summary", text: section.content_summary }),
    h("ul", { class: "objectives", "aria-label": "Objectives" }, objectives.map((text) => h("li", { text }))),
    ...(prerequisites.length ? [h("p", { class: "builds-on", text: `Builds on: ${prerequisites.join("; ")}` })] : []),
    h("ul", { class: "sources", "aria-label": "Sources" }, sources.map(drawSource)),
  );
}

function drawSource({ url, book_title, chapter_number, chapter_title, section_title, minutes, why }) {
  const place = [`ch. ${chapter_number} ${chapter_title}`, section_title, minutesText(minutes)];
  return h("li", {},
    outside(url, book_title),
    h("span", { class: "where", text: place.filter(Boolean).join(" · ") }),
    h("span", { class: "why", text: why }));
}

/** The figures of the quality report that mean something to a learner. */
const FIGURES = {
  reading_coverage: ["Time covered by reading", percentText],
  reading_minutes: ["Reading", minutesText],
  sources_count: ["Sources", String],
  books_used: ["Books", String],
  concept_coverage: ["Key concepts covered", percentText],
};

function drawQuality({ quality, changes, author }) {
  $("quality").hidden = !quality;
  if (!quality) return;
  const [, rows, notes] = $("quality").children;
  const figures = Object.entries(FIGURES).filter(([key]) => Number.isFinite(quality[key]));
  const facts = figures.map(([key, [name, words]]) => [name, words(quality[key])]);
  keyed(rows, [...facts, ["Written by", author]], ([name]) => name, () => h("div"), (element, [name, value]) =>
    element.replaceChildren(h("dt", {}, name), h("dd", { text: value })));
  drawLines(notes, [...(quality.notes ?? []), ...changes]);
}
