/** One course on the page: its messages folded and drawn, and the buttons that act on it. */

import { cancelCourse, fetchBook, retryCourse, watchCourse } from "./coursecast.js";
import { emptyCourse, fold, foldDraft } from "./course.js";
import { $, setText } from "./dom.js";
import { copyFrom, deleteIfSure, say, whileBusy } from "./buttons.js";
import { drawClock, drawCourse } from "./view.js";
import { connectionText, failureText, nowText } from "./words.js";

/** Show course `id` until the returned function is called. `known`: what was just asked for, if it was here. */
export function follow(id, known, onDeleted) {
  let course = emptyCourse(id, known);
  let watch, timer, spoken;
  let live = Boolean(known); // somebody sees it grow
  const openedAt = Date.now();
  let aheadMs = 0; // of the server's clock
  const urls = new Map(); // book id → where it can be read

  function change(next) {
    course = next;
    // Messages come in bursts; a timer, unlike an animation frame, also runs in a tab nobody looks at.
    timer ??= setTimeout(draw, 16);
  }

  function draw() {
    timer = undefined;
    const focused = document.activeElement;
    drawCourse(course, urls, live);
    if (focused.closest("#course [hidden]")) $(course.failure ? "failure" : "course").querySelector("[tabindex]").focus();
    tick();
    announce();
    document.title = tabTitle(course);
    for (const { book_id: book } of course.books) if (!urls.has(book)) findBook(book);
  }

  function tick() {
    drawClock(course, Date.now() + aheadMs - Date.parse(course.startedAt ?? new Date()));
    if (!watch) return;
    $("connection").dataset.state = watch.connection.state;
    setText($("connection"), connectionText(watch.connection) ?? "");
  }

  /** Screen readers hear of each phase once, never of single sections. */
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
      onUpdate: (message) => {
        const writtenAt = Date.parse(message.at);
        aheadMs = Math.max(aheadMs, writtenAt - Date.now());
        live ||= writtenAt > openedAt;
        change(fold(course, message));
      },
      onDraft: (draft) => change(foldDraft(course, draft)),
      onReset: () => change(emptyCourse(id)),
      onError: showMissing,
      onConnection: () => change(course),
    });
  }

  function showMissing({ status, message }) {
    clearTimeout(timer); // and nothing is drawn any more
    $("course").dataset.status = "missing";
    setText($("title"), status === 404 ? "There is no such course" : "This course cannot be shown");
    setText($("asked").lastElementChild, status === 404 ? "It was deleted, or the address is incomplete." : message);
    document.title = `${$("title").textContent} · Coursecast`;
    $("title").focus();
  }

  /** Cancel or retry: the course itself answers, through its log. */
  const act = (button, label, action) => (button.onclick = () => whileBusy(button, label, async () => {
    try {
      await action(id);
      if (course.status !== "processing") begin(); // the watch ended with the course
    } catch (error) {
      setText($("now"), error.message);
      say(error.message);
    }
  }));

  act($("cancel"), "Cancelling…", cancelCourse);
  act($("retry"), "Starting again…", retryCourse);
  $("copy").onclick = () => copyFrom($("download").href, $("copy"));
  $("delete").onclick = async () => (await deleteIfSure(course.title || course.query, id)) && onDeleted();
  const clock = setInterval(() => course.status === "processing" && tick(), 1000);
  draw();
  begin();
  return () => {
    clearTimeout(timer);
    clearInterval(clock);
    watch.close();
  };
}

function tabTitle({ title, query, status, percent }) {
  const state = { processing: `${percent} %`, error: "Stopped" }[status];
  const name = title || query;
  // Isolated: a name that runs right to left must not turn the rest around.
  return [state, name && `\u2068${name}\u2069`, "Coursecast"].filter(Boolean).join(" · ");
}
