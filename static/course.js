/** A course as a viewer knows it: the fold of its messages. Pure; values are replaced, never changed. */

/** The phases of the wire, in order. */
export const PHASES = ["initializing", "searching_books", "generating_sections", "reviewing_outline", "complete"];

/** A course before its first message; `known` is what was just asked for. */
export const emptyCourse = (courseId, known = {}) => ({
	courseId,
	seq: 0,
	status: "processing",
	phase: "initializing", // where the work is, also when it stopped there
	percent: 0,
	partsDone: 0,
	query: "",
	hours: 0,
	preferences: {},
	title: "",
	author: "",
	books: [],
	parts: [], // each with `sections`: null until they are written
	quality: null,
	changes: [],
	failure: null,
	drafts: {}, // by task
	startedAt: null,
	reachedAt: {}, // by phase
	...known,
});

const PAYLOADS = {
	course_requested: (_, { preferences, at }) => ({ preferences: preferences ?? {}, startedAt: at }),
	book_summaries_found: (_, { books }) => ({ books }),
	parts_generated: (_, { parts }) => ({ parts: parts.map((part) => ({ ...part, sections: null })) }),
	part_sections_generated: ({ parts, drafts }, { part_index: index, sections }) => ({
		parts: parts.map((part) => (part.part_index === index ? { ...part, sections } : part)),
		drafts: { ...drafts, [`sections:${index}`]: undefined },
	}),
	outline_reviewed: (_, { title, author, parts, quality, changes }) => ({ title, author, parts, quality, changes }),
};

/** The course after `message`; the same object when it was folded before. */
export function fold(course, message) {
	const { seq, type, at } = message;
	if (seq <= course.seq) return course;
	const next = { ...course, drafts: {}, ...PAYLOADS[type]?.(course, message), ...statusOf(course, message), seq };
	if (next.phase !== course.phase || seq === 1) next.reachedAt = { ...next.reachedAt, [next.phase]: at };
	return next;
}

/** The course after a draft that the client let through. */
export const foldDraft = (course, { task, value }) => ({ ...course, drafts: { ...course.drafts, [task]: value } });

function statusOf(course, { status, phase, failed_phase, progress, query, hours, error, error_code, retryable }) {
	return {
		status,
		phase: PHASES.includes(phase) ? phase : (failed_phase ?? course.phase),
		percent: progress.percent,
		partsDone: progress.parts_done,
		query,
		hours,
		failure: status === "error" ? { error, error_code, retryable } : null,
	};
}
