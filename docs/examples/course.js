import { cancelCourse, createCourse, retryCourse, watchCourse } from "./coursecast/coursecast.js";
import { emptyCourse, fold, foldDraft } from "./coursecast/course.js";
import { sayConnection, sayCourse, sayError } from "./words.js";

const server = { baseUrl: "http://localhost:8000" }; // "" where one proxy serves your pages and Coursecast
const $ = (id) => document.getElementById(id);
let course, watch;

$("ask").addEventListener("submit", async (event) => {
  event.preventDefault();
  const { query, hours } = Object.fromEntries(new FormData(event.target));
  const [button] = event.target.getElementsByTagName("button");
  button.disabled = true; // until there is an answer: two clicks are one course
  await attempt(async () => {
    const { course_id } = await createCourse({ query, hours: Number(hours) }, server);
    location.hash = course_id; // the page can be reloaded, and the link shared
  });
  button.disabled = false;
});

$("cancel").addEventListener("click", () => attempt(() => cancelCourse(course.courseId, server)));
$("retry").addEventListener("click", () =>
  attempt(async () => {
    await retryCourse(course.courseId, server);
    follow();
  }),
);

addEventListener("hashchange", openCourse);
openCourse();

/** Show the course that the address names. */
function openCourse() {
  watch?.close();
  $("course").hidden = !location.hash;
  if (!location.hash) return;
  show(emptyCourse(location.hash.slice(1)));
  follow();
}

/** Watch the course from where we are in its log. */
function follow() {
  watch?.close();
  watch = watchCourse(course.courseId, {
    ...server,
    after: course.seq,
    onUpdate: (message) => show(fold(course, message)),
    onDraft: (draft) => show(foldDraft(course, draft)),
    onReset: () => show(emptyCourse(course.courseId)),
    onError: (error) => setText($("problem"), sayError(error)),
    onConnection: (connection) => setText($("connection"), sayConnection(connection)),
  });
}

/** Try what a click asked for; a refusal becomes a sentence. */
async function attempt(action) {
  setText($("problem"), "");
  await action().catch((error) => setText($("problem"), sayError(error)));
}

function show(next) {
  course = next;
  setText($("title"), course.title || course.query);
  setText($("phase"), sayCourse(course));
  $("progress").value = course.percent;
  $("cancel").hidden = course.status !== "processing";
  $("retry").hidden = !course.failure?.retryable;
  $("parts").replaceChildren(...course.parts.map(drawPart));
}

function drawPart({ part_index, title, estimated_minutes, sections }) {
  const drafts = course.drafts[`sections:${part_index}`]?.sections ?? [];
  const list = element("ol", "", (sections ?? drafts).map((section) => element("li", section.title ?? "")));
  list.ariaBusy = String(!sections);
  return element("li", `${title} · ${estimated_minutes} min`, [list]);
}

/** Text of models and books is text: never `innerHTML`. */
function element(name, text, children = []) {
  const made = Object.assign(document.createElement(name), { textContent: text, dir: "auto" });
  made.append(...children);
  return made;
}

/** Leave alone what does not change: a screen reader would say it again. */
function setText(where, text) {
  if (where.textContent !== text) where.textContent = text;
}
