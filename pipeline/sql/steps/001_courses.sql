-- Courses and their event log.

CREATE TABLE courses (
    course_id     uuid PRIMARY KEY,
    caller        text NOT NULL,
    query         text NOT NULL,
    hours         double precision NOT NULL,
    preferences   json NOT NULL,
    created_at    timestamptz NOT NULL DEFAULT now(),
    modified_at   timestamptz NOT NULL DEFAULT now(),

    -- The status view as of last_seq. `view` is what the status route answers, byte for byte.
    status        text NOT NULL DEFAULT 'processing' CHECK (status IN ('processing', 'complete', 'error')),
    view          json NOT NULL,
    last_seq      bigint NOT NULL DEFAULT 1,

    -- Who may write: the run whose fence this is, until its lease runs out (database time).
    fence         bigint NOT NULL DEFAULT 0,
    lease_until   timestamptz,
    claims        integer NOT NULL DEFAULT 0,      -- claims since the last event; 5 is a crash loop

    -- The arq job that was enqueued last: '{course_id}:{enqueue_no}'.
    enqueue_no    bigint NOT NULL DEFAULT 1,
    enqueued_at   timestamptz NOT NULL DEFAULT now(),

    -- What the run leaves here beside its events.
    query_vector  vector,
    embedder      text,
    title         text,
    estimated_hours double precision,
    author        text,
    quality       json
);

CREATE INDEX courses_newest ON courses (caller, created_at DESC, course_id DESC);
CREATE INDEX courses_due ON courses (enqueued_at) WHERE status = 'processing';
CREATE INDEX courses_active ON courses (caller) WHERE status = 'processing';

CREATE TABLE events (
    course_id     uuid NOT NULL REFERENCES courses ON DELETE CASCADE,
    seq           bigint NOT NULL,
    type          text NOT NULL,
    task          text,                            -- the task whose single result this is
    status        text NOT NULL,                   -- of the course as of this event
    at            timestamptz NOT NULL,
    message       json NOT NULL,                   -- the complete message; `json` keeps every byte
    PRIMARY KEY (course_id, seq)
);

CREATE UNIQUE INDEX events_one_result_a_task ON events (course_id, task) WHERE task IS NOT NULL;

CREATE TABLE parts (
    course_id     uuid NOT NULL REFERENCES courses ON DELETE CASCADE,
    part_index    integer NOT NULL,
    title         text NOT NULL,
    why           text NOT NULL,
    estimated_minutes integer NOT NULL,
    PRIMARY KEY (course_id, part_index)
);

CREATE TABLE sections (
    section_id    uuid PRIMARY KEY,
    course_id     uuid NOT NULL REFERENCES courses ON DELETE CASCADE,
    part_index    integer NOT NULL,
    order_index   integer NOT NULL,
    title         text NOT NULL,
    estimated_minutes integer NOT NULL,
    section       json NOT NULL,                   -- the whole section as viewers get it
    UNIQUE (course_id, part_index, order_index),
    FOREIGN KEY (course_id, part_index) REFERENCES parts ON DELETE CASCADE
);

CREATE TABLE idempotency_keys (
    caller        text NOT NULL,
    key           text NOT NULL,
    request_hash  bytea NOT NULL,
    course_id     uuid NOT NULL REFERENCES courses ON DELETE CASCADE,
    created_at    timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (caller, key)
);

CREATE INDEX idempotency_keys_age ON idempotency_keys (created_at);
