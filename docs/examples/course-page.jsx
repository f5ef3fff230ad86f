import { StrictMode, useState } from "react";
import { createRoot } from "react-dom/client";
import { cancelCourse, createCourse, retryCourse } from "./coursecast/coursecast.js";
import { useCourse } from "./use-course.js";
import { sayConnection, sayCourse, sayError } from "./words.js";

const server = { baseUrl: "http://localhost:8000" };

function CoursePage() {
  const [courseId, setCourseId] = useState(null);
  const [problem, setProblem] = useState("");
  const [isAsking, setAsking] = useState(false);

  async function ask(form) {
    setAsking(true);
    setProblem("");
    try {
      const request = { query: form.get("query"), hours: Number(form.get("hours")) };
      setCourseId((await createCourse(request, server)).course_id);
    } catch (error) {
      setProblem(sayError(error));
    } finally {
      setAsking(false);
    }
  }

  return (
    <main>
      <form onSubmit={(event) => { event.preventDefault(); ask(new FormData(event.target)); }}>
        <p><label>What would you like to learn? <input name="query" required minLength={2} /></label></p>
        <p><label>Hours <input name="hours" type="number" defaultValue={2} min={0.5} max={40} step={0.5} /></label></p>
        <p><button disabled={isAsking}>Write my course</button></p>
      </form>
      <p role="alert">{problem}</p>
      {courseId && <Course key={courseId} courseId={courseId} />}
    </main>
  );
}

function Course({ courseId }) {
  const { course, connection, error, watchAgain } = useCourse(courseId, server);
  const cancel = () => cancelCourse(courseId, server);
  const retry = () => retryCourse(courseId, server).then(watchAgain);
  return (
    <section aria-label="Your course">
      <h2 dir="auto">{course.title || course.query}</h2>
      <progress max={100} value={course.percent} aria-label="Progress" />
      <p role="status">{error ? sayError(error) : sayCourse(course)}</p>
      <p>{sayConnection(connection)}</p>
      {course.status === "processing" && <button onClick={cancel}>Cancel</button>}
      {course.failure?.retryable && <button onClick={retry}>Go on</button>}
      <ol>
        {course.parts.map((part) => (
          <Part key={part.part_index} part={part} draft={course.drafts[`sections:${part.part_index}`]} />
        ))}
      </ol>
    </section>
  );
}

function Part({ part, draft }) {
  const sections = part.sections ?? draft?.sections ?? [];
  return (
    <li dir="auto" aria-busy={!part.sections}>
      {part.title} · {part.estimated_minutes} min
      <ol>
        {sections.map((section, i) => <li key={i} dir="auto">{section.title}</li>)}
      </ol>
    </li>
  );
}

createRoot(document.getElementById("root")).render(<StrictMode><CoursePage /></StrictMode>);
