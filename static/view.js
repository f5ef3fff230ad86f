/** Draws a course, again and again: what did not change is not touched, so that nothing jumps and no focus is lost. */

import { PHASES } from "./course.js";
import { $, glide, h, keyed, keyedLines, line, outside, reveal, setText } from "./dom.js";
import { failureText, minutesText, nowText, percentText, plural, qualityTexts, reached, tickText, timeText } from "./words.js";

const PHASE_NAMES = ["Request", "Library", "Writing", "Review", "Ready"];

/** Draw all that depends on the course. `urls`: book id → where it can be read; `live`: somebody sees it grow. */
export function drawCourse(course, urls, live) {
  glide(() => [drawHead, drawPhases, drawProgress, drawBooks, drawParts].forEach((draw) => draw(course, urls)));
  reveal($("course").querySelectorAll("#spines li, .stamp, .book, .part, .section, #quality:not([hidden])"), live);
}

function drawHead({ status, title, query, hours, preferences: { depth, pace }, failure, parts }) {
  $("course").dataset.status = status;
  setText($("title"), title || query || "Your course");
  const [asked, wishes] = $("asked").children;
  const time = `${plural(hours, "hour")}, ${plural(Math.floor(hours * 60 + 0.5), "minute")}`;
  setText(asked, query && `“${query}”`);
  setText(wishes, hours ? [" ", time, depth, pace && `${pace} pace`].filter(Boolean).join(" · ") : "");
  for (const link of document.querySelectorAll(".change")) link.href = `/?${new URLSearchParams({ query, hours })}`;

  $("failure").hidden = !failure;
  $("retry").hidden = !failure?.retryable;
  const [what, why] = $("failure").children;
  setText(what, failure ? failureText(failure) : "");
  setText(why, failure?.error ?? "");

  keyed($("spines"), parts, "part_index", (element, { part_index: index, title: name, estimated_minutes: minutes, sections }) => {
    element.style.setProperty("--minutes", minutes);
    element.style.setProperty("--n", index);
    element.className = sections ? "written" : "";
    const texts = [h("b", {}, index + 1), h("span", {}, minutesText(minutes)), h("span", { class: "spoken", text: name })];
    element.replaceChildren(h("a", { href: `#part-${index + 1}`, title: name }, ...texts));
  });
}

function drawPhases(course) {
  const now = PHASES.indexOf(course.phase);
  const rows = PHASES.map((phase, i) => {
    if (i > now) return { phase, state: "ahead" };
    if (i === now && course.failure) return { phase, state: "stopped", stamp: "stopped" };
    if (i === now && i < 4) return { phase, state: "current", stamp: "…" };
    const took = reached(course, PHASES[i + 1]) - reached(course, phase);
    return { phase, state: "done", stamp: took >= 0 ? timeText(took) : "✓" };
  });
  keyed($("phases"), rows, "phase", (element, { phase, state, stamp }) => {
    element.className = state;
    element.ariaCurrent = state === "current" ? "step" : null;
    element.replaceChildren(h("span", {}, PHASE_NAMES[PHASES.indexOf(phase)]), ...(stamp ? [h("span", { class: "stamp" }, stamp)] : []));
  });
}

/** Let the clock of the phase at work go on; `elapsedMs` since the course was asked for. */
export function drawClock(course, elapsedMs) {
  const stamp = $("phases").querySelector(".current .stamp");
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
    const [first, second, ...more] = chapters.map((chapter) => `${chapter.chapter_number} ${chapter.chapter_title}`);
    const match = h("span", { class: "match" });
    match.style.setProperty("--share", `${score * 100}%`);
    element.className = "book block";
    const lines = [first, second, more.length && `and ${plural(more.length, "more chapter")}`].filter(Boolean);
    element.replaceChildren(
      h("h3", {}, outside(url, title)),
      h("p", {}, match, `${percentText(score)} match`),
      ...lines.map((text) => h("p", { class: "chapter", text })));
  });
}

// --- the outline ---

function drawParts({ parts, drafts, status }) {
  const writing = status === "processing";
  $("plan").classList.toggle("lines", writing && !parts.length);
  keyedLines($("plan"), typed(drafts.parts).slice(-6));
  const entries = parts.map((part) => ({
    ...part,
    drafts: typed(drafts[`sections:${part.part_index}`]),
    waiting: !part.sections && writing,
  }));
  keyed($("parts"), entries, "part_index", fillPart);
}

/** What there is of a partial result, `{parts: […]}` or `{sections: […]}`: the titles, and what is being typed. */
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
        h("p", { class: "number" }, `Part ${number}`),
        h("h2", { dir: "auto" }),
        h("p", { class: "minutes" }),
        h("p", { class: "why", dir: "auto" })),
      h("ul", { class: "drafts", "aria-label": "Sections being written" }),
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
  const { part_index: part, order_index: order, prerequisites, learning_objectives: objectives } = section;
  element.className = "section";
  element.replaceChildren(
    h("h3", {}, h("span", { class: "number" }, `${part + 1}.${order + 1}`), h("span", { text: section.title })),
    h("p", { class: "minutes" }, minutesText(section.estimated_minutes)),
    h("p", { text: section.content_summary }),
    h("ul", { class: "objectives", "aria-label": "Objectives" }, ...objectives.map((text) => h("li", { text }))),
    h("p", { class: "builds-on" }, ...(prerequisites.length ? ["Builds on: ", ...line(...prerequisites)] : [])),
    h("ul", { class: "sources", "aria-label": "Sources" }, ...section.sources.map((source) => h("li", {},
      outside(source.url, source.book_title),
      h("span", { class: "where" },
        ...line(`ch. ${source.chapter_number} ${source.chapter_title}`, source.section_title, minutesText(source.minutes))),
      h("span", { class: "why", text: source.why })))));
}
