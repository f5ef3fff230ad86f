import { PHASES } from "./course.js";

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

const plural = (count, word) => `${count} ${word}${count === 1 ? "" : "s"}`;
export const percentText = (share) => `${Math.round(share * 100)} %`;

export function minutesText(minutes) {
	const rest = minutes % 60;
	return minutes < 60 ? `${minutes} min` : `${(minutes - rest) / 60} h${rest ? ` ${rest} min` : ""}`;
}

export const timeText = (ms) => (ms < 1000 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(1)} s`);
export const tickText = (ms) => `${Math.max(0, Math.floor(ms / 1000))} s`;

/** Milliseconds from the request to a phase, or NaN. */
export const reached = ({ startedAt, reachedAt }, phase) => Date.parse(reachedAt[phase]) - Date.parse(startedAt);

/** What is going on; also what a screen reader hears. */
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
	return {
		connecting: "Connecting…",
		live: `Live${transport ? ` (${transport.replace("sse", "event stream")})` : ""}${last}`,
		polling: `Asking every few seconds${last}`,
		waiting: `Connection lost; the work goes on.${retryAt ? ` Reconnecting in ${tickText(retryAt - Date.now() + 999)}.` : ""}`,
		offline: "No network; the work goes on.",
	}[state] ?? "";
}

/** The quality report in words. */
export function qualityTexts({ quality, changes, author }) {
	const { minutes, sources_count: sources, books_used: books, concept_coverage: concepts } = quality;
	const { reading_minutes: reading, reading_coverage: share, notes = [] } = quality;
	return [
		minutes && `${minutesText(minutes)} planned, ${plural(sources, "source")} from ${plural(books, "book")}.`,
		reading && `${minutesText(reading)} of reading, ${percentText(share)} of the time; the rest is study and practice.`,
		concepts && `${percentText(concepts)} of the key concepts of these chapters are covered.`,
		...notes,
		...changes,
		author && `Written by: ${author}.`,
	].filter(Boolean);
}
