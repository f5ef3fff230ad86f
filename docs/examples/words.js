/** What to say about a course: a sentence for each phase, and for each way in which it can stop. */

const PHASES = {
  initializing: () => "Your request is in. Reading it…",
  searching_books: () => "Looking for books about it…",
  generating_sections: ({ parts, partsDone }) =>
    parts.length ? `Writing: ${partsDone} of ${parts.length} parts done…` : "Planning the parts…",
  reviewing_outline: () => "Checking the whole outline…",
  complete: () => "Your course is ready.",
};

const FAILURES = {
  cancelled: "You cancelled this course.",
  no_relevant_books: "The library has no books about this. Try another topic, or other words for it.",
  author_unavailable: "The author cannot be reached just now.",
  author_refused: "The author declined to write about this.",
  author_misconfigured: "The author is not set up correctly. Whoever runs this site has to mend it.",
  author_invalid_output: "The author's answer made no sense.",
  embedder_unavailable: "The search cannot be reached just now.",
  library_unavailable: "The library cannot be read just now.",
  token_budget_exceeded: "This course would cost more than it may.",
  timeout: "This took too long.",
  crashed: "Something went wrong on our side.",
  internal: "Something went wrong on our side.",
};

const REFUSALS = {
  invalid_request: "Please check what you entered.",
  origin_not_allowed: "This site may not ask this server for courses.",
  course_not_found: "There is no such course.",
  processing: "The course is still being written.",
  body_too_large: "That is too much text.",
  idempotency_key_reused: "Please send the form again.",
  too_many_active_courses: "Too many courses are being written. Try again in a moment.",
  database_unavailable: "The server is busy. Try again in a moment.",
  unreachable: "The server cannot be reached.",
};

/** One sentence on a folded course. */
export function sayCourse(course) {
  if (course.failure) return FAILURES[course.failure.error_code] ?? course.failure.error;
  return PHASES[course.phase]?.(course) ?? "Working on it…"; // a phase that did not exist when this was written
}

/** One sentence on a CoursecastError; the server's own where it says which field is wrong. */
export const sayError = ({ code, field, message }) => (field ? message : (REFUSALS[code] ?? message));

/** One sentence on the connection, or "" while there is nothing to worry about. */
export function sayConnection({ state, retryAt }) {
  if (state === "offline") return "You are offline. The course is being written all the same.";
  if (state !== "waiting") return "";
  return retryAt ? `Connection lost. Trying again in ${Math.ceil((retryAt - Date.now()) / 1000)} s…` : "Connection lost…";
}
