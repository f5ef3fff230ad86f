/**
 *     const { course_id } = await createCourse({ query: "Learn DCF valuation", hours: 2 });
 *     watchCourse(course_id, { onUpdate: (message) => …, onEnd: ({ status }) => … });
 *
 * Types of the Coursecast client, and what each thing means. The messages themselves are described in
 * `/openapi.json` and docs/ui-integration.md; unknown members and event types may come with later servers.
 *
 * Needs a browser of 2024 or later (`AbortSignal.any`), or anything with `fetch` and `WebSocket`.
 */

export type Status = "processing" | "complete" | "error";
export type Phase =
  | "initializing" | "searching_books" | "generating_sections" | "reviewing_outline" | "complete" | "error";

/** What one asks for. */
export interface CourseRequest {
  /** 2 to 2,000 characters. */
  query: string;
  /** 0.5 to 40; default 2. */
  hours?: number;
  preferences?: {
    depth?: "overview" | "balanced" | "technical" | "expert";
    pace?: "quick" | "moderate" | "thorough";
    presentation_style?: string;
    additional_notes?: string;
  };
}

/** The answer to a request: the course will be written, whatever happens to this page. */
export interface Accepted {
  course_id: string;
  status: "processing";
  message: string;
  query: string;
  hours: number;
  status_url: string;
  events_url: string;
  websocket_url: string;
}

/** What is true of a course as of `seq`. */
export interface StatusView {
  course_id: string;
  status: Status;
  phase: Phase;
  seq: number;
  progress: {
    parts_count: number;
    parts_done: number;
    sections_count: number;
    /** 0 to 100; never falls. */
    percent: number;
    course_id?: string;
    title?: string;
    estimated_hours?: number;
  };
  query: string;
  hours: number;
  /** A sentence for a person, a word for a program; with status "error". */
  error?: string;
  error_code?: string;
  /** Only from `fetchStatus`, while the course is processing. */
  poll_after_ms?: number;
}

/** An entry of the log: the status view as of it, and its payload. */
export interface Message extends StatusView {
  type: string;
  /** UTC, ISO 8601. */
  at: string;
  [payload: string]: unknown;
}

/** Text as the author writes it: the whole partial result of a task so far. */
export interface Draft {
  course_id: string;
  /** "parts", "sections:0" …, "review". */
  task: string;
  fence: number;
  n: number;
  value: unknown;
}

/** How a course comes: in this order, each where the one before does not get through. */
export type Transport = "sse" | "websocket" | "long-poll" | "polling";

export interface Connection {
  /**
   * - `connecting`: being opened.
   * - `live`: what happens is seen as it happens.
   * - `polling`: it is seen every few seconds.
   * - `waiting`: lost, and to be opened again at `retryAt`, where that is known.
   * - `offline`: the same, and the browser says that it has no network.
   * - `closed`: by `close()`, or because the course is over.
   */
  state: "connecting" | "live" | "polling" | "waiting" | "offline" | "closed";
  /** null: not known yet, because another tab has the connection and has not told. */
  transport: Transport | null;
  /** When it is tried again, in milliseconds as of `Date.now()`. */
  retryAt?: number;
  /** When the server was last heard, in milliseconds as of `Date.now()`; at first, when the watch began. */
  lastEventAt: number;
}

export interface WatchOptions extends ServerOptions {
  /** The last `seq` that is known; default 0: the whole log comes. */
  after?: number;
  /** The next message of the log. Each comes once, in order, whatever happens to connections. */
  onUpdate?(message: Message): void;
  /** A draft that is news: its task is open, and nothing newer was shown. */
  onDraft?(draft: Draft): void;
  /** The server does not know `after`; the log comes again from 1: forget what was folded. */
  onReset?(): void;
  /** The course is over, as its log says. After a retry, watch again from your cursor. */
  onEnd?(end: { course_id: string; seq: number; status: Status }): void;
  /** The watch gave up: no such course, or not allowed. Everything else is tried again. */
  onError?(error: CoursecastError): void;
  /** Whenever `state`, `transport` or `retryAt` changed. */
  onConnection?(connection: Connection): void;
  /**
   * Only this one, or these, best first; the watch then has a connection of its own. By default all tabs of a browser
   * share one, and the transport is chosen by what gets through.
   */
  transport?: Transport | Transport[];
  /** Milliseconds, to hurry in tests. */
  timing?: {
    firstMs?: number;
    silenceMs?: number;
    browserRetryMs?: number;
    climbMs?: number;
    backoffMs?: number;
    longestBackoffMs?: number;
  };
}

export interface Watch {
  close(): void;
  /** The last `seq` that came. */
  readonly cursor: number;
  /** What `onConnection` got last, with `lastEventAt` as of now. */
  readonly connection: Connection;
}

export interface ServerOptions {
  /** Where the server is, for example "https://courses.example"; default: where the page comes from. */
  baseUrl?: string;
}

/** Any answer but success. */
export class CoursecastError extends Error {
  constructor(facts: { message: string; status?: number; code?: string; field?: string; retryAfterMs?: number });
  /** The HTTP status; 0: there was no answer. */
  status: number;
  /** A word for a program: "invalid_request", "not_found", "unreachable" … */
  code: string;
  /** What of the request is meant. */
  field?: string;
  retryAfterMs?: number;
}

/** How far a viewer has read, and which drafts are news to it. */
export class Cursor {
  constructor(seq?: number);
  seq: number;
  restart(seq?: number): void;
  take(message: Pick<Message, "seq" | "status" | "type"> & { part_index?: unknown }): "next" | "seen" | "gap";
  takeDraft(draft: Pick<Draft, "task" | "fence" | "n">): boolean;
}

/**
 * Ask for a course. Tries three times while the server cannot be reached; the key makes that one course.
 * @throws {CoursecastError}
 */
export function createCourse(
  request: CourseRequest,
  options?: ServerOptions & { idempotencyKey?: string },
): Promise<Accepted>;

/** Watch a course until it is over or closed. */
export function watchCourse(courseId: string, options?: WatchOptions): Watch;

/** The finished course; a CoursecastError with status 409 while there is none. */
export function fetchCourse(courseId: string, options?: ServerOptions): Promise<FinishedCourse>;
export function fetchStatus(courseId: string, options?: ServerOptions): Promise<StatusView>;
/** Stop a course that is being written; it can be retried. */
export function cancelCourse(courseId: string, options?: ServerOptions): Promise<StatusView>;
/** Let a stopped course go on where it stopped. */
export function retryCourse(courseId: string, options?: ServerOptions): Promise<StatusView>;
/** Delete a course for good; one that is being written is cancelled. */
export function deleteCourse(courseId: string, options?: ServerOptions): Promise<null>;
/** The newest courses. */
export function listCourses(
  options?: ServerOptions & { limit?: number },
): Promise<{ courses: Record<string, unknown>[]; next_cursor: string | null }>;
/** One book of the library with its chapters. */
export function fetchBook(bookId: string, options?: ServerOptions): Promise<Record<string, unknown>>;

export interface FinishedCourse {
  course: {
    course_id: string;
    title: string;
    original_query: string;
    estimated_hours: number;
    preferences: Record<string, unknown>;
    status: string;
    author: string;
    quality: Record<string, unknown>;
    created_at: string;
    last_modified: string;
  };
  parts: Part[];
  /** All sections of all parts, in order. */
  sections: Section[];
}

export interface Part {
  part_index: number;
  title: string;
  why: string;
  estimated_minutes: number;
  sections: Section[];
}

export interface Section {
  section_id: string;
  part_index: number;
  order_index: number;
  title: string;
  content_summary: string;
  learning_objectives: string[];
  prerequisites: string[];
  estimated_minutes: number;
  sources: Source[];
}

export interface Source {
  book_id: string;
  book_title: string;
  chapter_number: number;
  chapter_title: string;
  section_title: string;
  url: string;
  minutes: number;
  why: string;
}
