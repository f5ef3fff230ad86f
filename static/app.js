/**
 * The page: `/` asks for a course, `/c/{id}` watches one. Routing, form and buttons are here; course.js says
 * what a course is, view.js how it looks, coursecast.js how it gets here.
 */

import { cancelCourse, createCourse, fetchBook, listCourses, retryCourse, watchCourse } from "./coursecast.js";
import { emptyCourse, fold, foldDraft, foldFinished, foldStatus } from "./course.js";
import { $, drawConnection, drawCourse, h, keyed, nowText } from "./view.js";

const form = $("ask");

let here; // the path that is shown; a jump within a page is none
let leave = () => {}; // closes what the current view holds open

function route(known) {
  if (location.pathname === here) return;
  here = location.pathname;
  leave();
  leave = () => {};
  const [, id] = /^\/c\/([^/]+)\/?$/.exec(here) ?? [];
  if (id) showCourse(id, known);
  else showStart();
}

function show(id) {
  for (const view of ["start", "course", "missing"]) $(view).hidden = view !== id;
  $("new-course").hidden = id === "start";
}

/** A button at work keeps its place and focus, but does nothing. */
async function whileBusy(button, label, work) {
  if (button.ariaDisabled === "true") return;
  const { textContent } = button;
  button.ariaDisabled = "true";
  button.textContent = label;
  await work();
  button.ariaDisabled = null;
  button.textContent = textContent;
}

// --- asking ---

function showStart() {
  document.title = "Coursecast";
  const asked = new URLSearchParams(location.search);
  for (const name of ["query", "hours"]) if (asked.has(name)) form.elements[name].value = asked.get(name);
  show("start");
  drawRecent();
}

function requestFromForm() {
  const { query, hours, ...wishes } = Object.fromEntries(new FormData(form));
  const preferences = Object.entries(wishes).map(([name, value]) => [name, value.trim()]);
  return {
    query: query.trim(),
    hours: hours === "" ? null : Number(hours),
    preferences: Object.fromEntries(preferences.filter(([, value]) => value)),
  };
}

async function submit() {
  for (const message of form.querySelectorAll(".field-error")) message.textContent = "";
  for (const input of form.querySelectorAll("[aria-invalid]")) input.ariaInvalid = null;
  const request = requestFromForm();
  if (!request.query) return showError({ field: "query", message: "Say what you would like to learn." });
  try {
    const { course_id: id } = await createCourse(request);
    history.pushState(null, "", `/c/${id}`);
    route(request);
    scrollTo(0, 0);
    $("course-title").focus();
  } catch (error) {
    showError(error);
  }
}

/** The server is the judge of a request: its answer goes under the field that it names. */
function showError({ field = "", message }) {
  const name = field.split(".").at(-1);
  const place = $(`${name}-error`);
  (place ?? $("form-error")).textContent = message;
  if (!place) return;
  const input = $(name);
  input.closest("details")?.setAttribute("open", "");
  input.ariaInvalid = "true";
  input.focus();
}

async function drawRecent() {
  // Not for everybody to see (403), or away for the moment: the page is complete without it.
  const { courses } = await listCourses().catch(() => ({ courses: [] }));
  $("recent").hidden = courses.length === 0;
  keyed($("recent").lastElementChild, courses, (course) => course.course_id, () => h("li"), (element, course) => {
    const state = { processing: "being written", error: "stopped" }[course.status];
    element.replaceChildren(
      h("a", { href: `/c/${course.course_id}`, text: course.title ?? course.query }),
      h("span", {}, [`${course.hours} h`, state].filter(Boolean).join(" · ")));
  });
}

// --- watching ---

function showCourse(id, known) {
  let course = emptyCourse(id, known);
  let watch, timer, spoken;
  const urls = new Map(); // book id → where it can be read

  function change(next) {
    course = next;
    // Messages come in bursts; a timer, unlike an animation frame, also runs in a tab nobody looks at.
    timer ??= setTimeout(draw, 16);
  }

  function draw() {
    timer = undefined;
    drawCourse(course, urls);
    document.title = tabTitle(course);
    const news = `${course.phase} ${course.status}`;
    if (news !== spoken && course.seq) $("spoken").textContent = course.failure?.error ?? nowText(course);
    spoken = news;
    for (const { book_id: book } of course.books) if (!urls.has(book)) findBook(book);
  }

  async function findBook(book) {
    urls.set(book, undefined);
    const { url } = await fetchBook(book).catch(() => ({}));
    urls.set(book, url);
    change(course);
  }

  function follow() {
    watch = watchCourse(id, {
      after: course.seq,
      onUpdate: (message) => change(fold(course, message)),
      onDraft: (draft) => change(foldDraft(course, draft)),
      onReset: () => change(emptyCourse(id)),
      onStatus: (view) => change(foldStatus(course, view)),
      onEnd: (end) => end.course && change(foldFinished(course, end.course)),
      onError: showMissing,
      onConnection: drawConnection,
    });
  }

  /** Cancel or retry: the course itself answers, through its log. */
  const act = (button, label, action) => whileBusy(button, label, async () => {
    try {
      await action(id);
      if (course.status !== "processing") follow(); // the watch ended with the course
    } catch (error) {
      $("now").textContent = error.message;
    }
  });

  $("cancel").onclick = () => act($("cancel"), "Cancelling…", cancelCourse);
  $("retry").onclick = () => act($("retry"), "Starting again…", retryCourse);
  leave = () => {
    clearTimeout(timer);
    watch.close();
  };
  show("course");
  draw();
  follow();
}

function tabTitle({ title, query, status, percent }) {
  const state = { processing: `${percent} %`, error: "Stopped" }[status];
  return [state, title || query, "Coursecast"].filter(Boolean).join(" · ");
}

function showMissing({ status, message }) {
  const [title, sentence] = $("missing").children;
  const unknown = status === 404;
  title.textContent = unknown ? "There is no such course" : "This course cannot be shown";
  sentence.textContent = unknown ? "The address may be incomplete, or the course is on another server." : message;
  document.title = `${title.textContent} · Coursecast`;
  show("missing");
  title.focus();
}

// --- start ---

form.onsubmit = (event) => {
  event.preventDefault();
  whileBusy(form.lastElementChild, "Starting…", submit);
};
form.onclick = ({ target }) => {
  if (!target.matches(".chip")) return;
  form.query.value = target.textContent;
  form.hours.value = target.dataset.hours;
  form.query.focus();
};
form.onkeydown = (event) => {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) form.requestSubmit();
};
addEventListener("popstate", () => route());
route();
