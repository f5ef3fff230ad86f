-- The event log and its courses. Times are the database's; fences and seqs are checked in WHERE, so a
-- statement that touches no row is the answer "not yours any more".

-- name: create_courses
-- Courses with their idempotency keys and first events, one answer for each, in order: the course that its key
-- named before; or whether its caller has room; and whether it is written, which with room means that nobody
-- took its key at the same instant. (Who does waits here for the other to commit, in the order of the keys, so
-- that two batches cannot wait for each other.)
WITH asked AS (
    SELECT * FROM json_to_recordset(:asked::json) AS a(
        n bigint, course_id uuid, caller text, max_active bigint, key text, hash text,
        query text, hours float8, preferences json, view json, head text, tail text)
), earlier AS (
    SELECT asked.n, k.course_id, k.request_hash FROM asked
    JOIN idempotency_keys AS k ON k.caller = asked.caller AND k.key = asked.key
    WHERE k.created_at >= now() - interval '24 hours'
), active AS (
    SELECT caller, (SELECT count(*) FROM courses AS c WHERE c.caller = a.caller AND c.status = 'processing') AS n
    FROM (SELECT DISTINCT caller FROM asked) AS a
), room AS (
    SELECT fresh.* FROM (
        SELECT *, row_number() OVER (PARTITION BY caller ORDER BY n) AS place FROM asked
        WHERE n NOT IN (SELECT n FROM earlier)
    ) AS fresh
    JOIN active USING (caller) WHERE active.n + fresh.place <= fresh.max_active
), key AS (
    INSERT INTO idempotency_keys AS k (caller, key, request_hash, course_id)
    SELECT caller, key, decode(hash, 'hex'), course_id FROM room WHERE key IS NOT NULL ORDER BY caller, key
    ON CONFLICT (caller, key) DO UPDATE
        SET request_hash = excluded.request_hash, course_id = excluded.course_id, created_at = now()
        WHERE k.created_at < now() - interval '24 hours'
    RETURNING course_id
), course AS (
    INSERT INTO courses (course_id, caller, query, hours, preferences, view)
    SELECT course_id, caller, query, hours, preferences, view FROM room
    WHERE key IS NULL OR course_id IN (SELECT course_id FROM key)
    RETURNING course_id, clock_timestamp() AS at
), event AS (
    INSERT INTO events (course_id, seq, type, status, at, message)
    SELECT course_id, 1, 'course_requested', 'processing', at,
           (head || to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') || tail)::json
    FROM course JOIN room USING (course_id)
    RETURNING course_id
)
SELECT earlier.course_id AS earlier, encode(earlier.request_hash, 'hex') AS earlier_hash,
       room.n IS NOT NULL AS had_room, event.course_id IS NOT NULL AS is_written
FROM asked LEFT JOIN earlier USING (n) LEFT JOIN room USING (n) LEFT JOIN event ON event.course_id = asked.course_id
ORDER BY asked.n;

-- name: count_active$
-- Courses in the making of the caller of a course.
SELECT count(*) FROM courses
WHERE status = 'processing' AND caller = (SELECT caller FROM courses WHERE course_id = :course_id);

-- name: forget_idempotency_keys!
DELETE FROM idempotency_keys WHERE created_at < now() - interval '24 hours';

-- name: append
-- Append events to a course that is still ours. `:expected` is the last seq we know of: with the fence it
-- proves that our fold is the whole log, so what we derived from it is true under the row lock.
WITH course AS (
    UPDATE courses
    SET last_seq = :last_seq, status = :status, view = :view::json, claims = 0, modified_at = now(),
        query_vector = coalesce(:query_vector::text::vector, query_vector),
        embedder = coalesce(:embedder, embedder),
        prompt_tokens = prompt_tokens + :prompt_tokens::bigint,
        completion_tokens = completion_tokens + :completion_tokens::bigint,
        model_calls = model_calls + :model_calls::bigint,
        repairs = coalesce(repairs || :repairs::text::jsonb, repairs),
        fence = fence + :fence_step::bigint,
        lease_until = CASE WHEN :fence_step::bigint > 0 OR :status <> 'processing' THEN NULL ELSE lease_until END
    WHERE course_id = :course_id AND fence = :fence AND status = :status_before AND last_seq = :expected
    RETURNING course_id, clock_timestamp() AS at
)
INSERT INTO events (course_id, seq, type, task, status, at, message)
SELECT course.course_id, e.seq, e.type, e.task, e.status, course.at,
       (e.head || to_char(course.at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') || e.tail)::json
FROM course, unnest(:seqs::bigint[], :types::text[], :tasks::text[], :statuses::text[], :heads::text[], :tails::text[])
     AS e(seq, type, task, status, head, tail)
ORDER BY e.seq
RETURNING seq, status, message;

-- name: lock_course^
-- Hold the course's row until the transaction ends.
SELECT caller, status, last_seq, fence, claims, coalesce(lease_until > now(), false) AS leased
FROM courses WHERE course_id = :course_id FOR UPDATE;

-- name: entries_after
SELECT seq, status, message FROM events
WHERE course_id = :course_id AND seq > :after ORDER BY seq LIMIT :most;

-- name: pages
-- A page of each of many logs. It ends with the entry that fills it, so that one larger than a page is read all
-- the same.
SELECT asked.place, page.seq, page.status, page.message
FROM unnest(:course_ids::uuid[], :afters::bigint[]) WITH ORDINALITY AS asked(course_id, after, place)
CROSS JOIN LATERAL (
    SELECT seq, status, message, size, sum(size) OVER (ORDER BY seq ROWS UNBOUNDED PRECEDING) AS size_so_far
    FROM (
        SELECT seq, status, message, octet_length(message::text) AS size FROM events
        WHERE course_id = asked.course_id AND seq > asked.after ORDER BY seq LIMIT :most
    ) AS entry
) AS page
WHERE size_so_far - size < :bytes ORDER BY asked.place, page.seq;

-- name: claim^
UPDATE courses
SET fence = fence + 1, lease_until = now() + make_interval(secs => :lease_s::float8), claims = claims + 1
WHERE course_id = :course_id AND status = 'processing' AND (lease_until IS NULL OR lease_until < now())
RETURNING fence, query_vector::text AS query_vector, embedder,
          prompt_tokens, completion_tokens, model_calls, repairs::text AS repairs;

-- name: renew
-- Renew many leases at once; a course that is not returned is not ours any more.
UPDATE courses AS c
SET lease_until = now() + make_interval(secs => :lease_s::float8)
FROM unnest(:course_ids::uuid[], :fences::bigint[]) AS mine(course_id, fence)
WHERE c.course_id = mine.course_id AND c.fence = mine.fence AND c.status = 'processing'
RETURNING c.course_id, c.fence;

-- name: release!
-- Give a course back unharmed: the next sweep hands it on at once, and this claim does not count as a crash.
UPDATE courses SET lease_until = now() - interval '1 second', claims = greatest(claims - 1, 0),
       enqueued_at = enqueued_at - interval '1 minute'
WHERE course_id = :course_id AND fence = :fence AND status = 'processing';

-- name: due
-- Courses nobody works on: their lease ran out, or they were enqueued a while ago and never claimed.
SELECT course_id, enqueue_no, claims FROM courses
WHERE status = 'processing'
  AND (lease_until < now() OR lease_until IS NULL)
  AND (enqueued_at < now() - make_interval(secs => :grace_s::float8) OR enqueued_at < lease_until)
ORDER BY enqueued_at LIMIT :most;

-- name: next_enqueue$
-- Bump the job number of a course, if nobody else did since we looked.
UPDATE courses SET enqueue_no = enqueue_no + 1, enqueued_at = now()
WHERE course_id = :course_id AND enqueue_no = :seen AND status = 'processing'
  AND (lease_until IS NULL OR lease_until < now())
RETURNING enqueue_no;

-- name: bump_enqueue_no$
-- The job number for a course whose row we hold.
UPDATE courses SET enqueue_no = enqueue_no + 1, enqueued_at = now() WHERE course_id = :course_id
RETURNING enqueue_no;

-- name: delete_course!
-- With its log, its parts and sections and its idempotency key, which refer to it.
DELETE FROM courses WHERE course_id = :course_id;

-- name: store_course!
UPDATE courses SET title = :title, estimated_hours = :estimated_hours, author = :author, quality = :quality::json
WHERE course_id = :course_id;

-- name: store_parts!
INSERT INTO parts (course_id, part_index, title, why, estimated_minutes)
SELECT :course_id::uuid, p.part_index, p.title, p.why, p.estimated_minutes
FROM json_to_recordset(:parts::json) AS p(part_index integer, title text, why text, estimated_minutes integer);

-- name: store_sections!
INSERT INTO sections (section_id, course_id, part_index, order_index, title, estimated_minutes, section)
SELECT (s ->> 'section_id')::uuid, :course_id::uuid, (s ->> 'part_index')::integer,
       (s ->> 'order_index')::integer, s ->> 'title', (s ->> 'estimated_minutes')::integer, s
FROM json_array_elements(:sections::json) AS s;

-- name: statuses
SELECT course_id::text, view, last_seq, status, extract(epoch FROM now() - created_at)::float8 AS age_s
FROM courses WHERE course_id = ANY(:course_ids::uuid[]);

-- name: further
-- What a reconcile asks every two seconds: of many courses those whose log goes on after the seq that is known,
-- and those that are gone. Ids as text: to make thousands of them out of bytes is this side's work.
SELECT known.course_id, c.last_seq, c.status
FROM unnest(:course_ids::text[], :seqs::bigint[]) AS known(course_id, seq)
LEFT JOIN courses AS c ON c.course_id = known.course_id::uuid
WHERE c.last_seq IS NULL OR c.last_seq > known.seq;

-- name: last_seqs
-- Where the logs of many courses stand.
SELECT course_id, last_seq, status FROM courses WHERE course_id = ANY(:course_ids::uuid[]);

-- name: newest
SELECT course_id, view, title, created_at, modified_at FROM courses
WHERE caller = :caller
  AND (:before_at::timestamptz IS NULL OR (created_at, course_id) < (:before_at::timestamptz, :before_id::uuid))
ORDER BY created_at DESC, course_id DESC LIMIT :most;

-- name: finished^
SELECT course_id, status, view, title, query, hours, estimated_hours, preferences, author, quality,
       created_at, modified_at
FROM courses WHERE course_id = :course_id;

-- name: parts_of
SELECT part_index, title, why, estimated_minutes FROM parts WHERE course_id = :course_id ORDER BY part_index;

-- name: sections_of
SELECT part_index, section FROM sections WHERE course_id = :course_id ORDER BY part_index, order_index;

-- name: totals^
-- Courses by status, and what model calls took: a handful of rows, and an index of those in the making.
SELECT (SELECT count(*) FROM courses WHERE status = 'processing') AS processing,
       sum(complete)::bigint AS complete, sum(error)::bigint AS error, sum(prompt_tokens)::bigint AS prompt_tokens,
       sum(completion_tokens)::bigint AS completion_tokens, sum(model_calls)::bigint AS model_calls
FROM totals;
