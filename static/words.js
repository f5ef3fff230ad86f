/** What the page says, and its units. */

import { PHASES } from "./course.js";

/** By `error_code`; the sentence that follows is the server's. */
const FAILURES = {
  cancelled: "Cancelled",
  no_relevant_books: "Not in the library",
  author_unavailable: "The author cannot be reached",
  author_refused: "The author declined",
  author_misconfigured: "The author is not set up",
  author_invalid_output: "The author made no sense",
  embedder_unavailable: "The search cannot be reached",
  library_unavailable: "The library is not ready",
  token_budget_exceeded: "It cost more than it may",
  timeout: "This took too long",
  crashed: "The work broke off again and again",
  internal: "Something broke on our side",
};
export const failureText = ({ error_code: code }) => FAILURES[code] ?? "The course could not be finished";

export const plural = (count, word) => `${count} ${word}${count === 1 ? "" : "s"}`;
export const percentText = (share) => `${Math.round(share * 100)} %`;

export function minutesText(minutes) {
  const rest = minutes % 60;
  return minutes < 60 ? `${minutes} min` : `${(minutes - rest) / 60} h${rest ? ` ${rest} min` : ""}`;
}

/** A time that passed. */
export function timeText(ms) {
  if (ms < 1000) return `${Math.round(ms)} ms`;
  return ms < 60_000 ? `${(ms / 1000).toFixed(1)} s` : `${Math.floor(ms / 60_000)} min ${Math.floor((ms / 1000) % 60)} s`;
}
/** A time that still passes. */
export const tickText = (ms) => (ms < 60_000 ? `${Math.max(0, Math.floor(ms / 1000))} s` : timeText(ms));

/** Milliseconds from the request until the work entered `phase`, or NaN. */
export const reached = ({ startedAt, reachedAt }, phase) => Date.parse(reachedAt[phase]) - Date.parse(startedAt);

/** One sentence about what is going on; it is also what a screen reader hears. */
export function nowText(course) {
  const { failure, phase, parts, partsDone } = course;
  if (failure) return failure.error_code === "cancelled" ? "Cancelled." : "Stopped.";
  const took = reached(course, "complete");
  return [
    "Reading your request…",
    "Searching the library…",
    parts.length ? `Writing sections: ${partsDone} of ${plural(parts.length, "part")} done` : "Planning the parts…",
    "Checking the whole outline…",
    `Your course is ready${took >= 0 ? `, written in ${timeText(took)}` : ""}.`,
  ][PHASES.indexOf(phase)];
}

/** How the course reaches this page right now. */
export function connectionText({ state, transport, retryAt, lastEventAt }) {
  const quietMs = Date.now() - lastEventAt;
  const last = quietMs > 2000 ? `, last event ${tickText(quietMs)} ago` : "";
  const soon = retryAt ? ` Reconnecting in ${tickText(retryAt - Date.now() + 999)}.` : "";
  return {
    connecting: "Connecting…",
    live: `Live${transport ? ` (${transport.replace("sse", "event stream")})` : ""}${last}`,
    polling: `Asking every few seconds${last}`,
    waiting: `Connection lost; the work goes on.${soon}`,
    offline: "No network here; the work goes on.",
  }[state];
}

/** The quality report: what its figures mean to a learner, then its notes. */
export function qualityTexts({ quality, changes, author }) {
  const { minutes, budget_exact: exact, sources_count: sources, books_used: books } = quality;
  const { reading_minutes: reading, reading_coverage: share, concept_coverage: concepts } = quality;
  return [
    minutes && `${minutesText(minutes)} planned${exact ? ", exactly as asked for" : ""}.`,
    sources && books && `${plural(sources, "source")} from ${plural(books, "book")}.`,
    reading && `${minutesText(reading)} of reading, ${percentText(share)} of the time; the rest is study and practice.`,
    concepts && `${percentText(concepts)} of the key concepts of these chapters are covered.`,
    ...(quality.notes ?? []),
    ...changes,
    author && `Written by: ${author}.`,
  ].filter(Boolean);
}
