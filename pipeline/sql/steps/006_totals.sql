-- What /metrics tells, kept as it happens instead of counted over all courses: how many are over, and what
-- model calls took (also for courses that were deleted since). Courses in the making have an index of their own.
-- Sixteen rows, so that those who end courses at the same moment rarely wait for each other's commit.

-- What ends between the count and the triggers, by a process of the version before, would be missed for good.
LOCK TABLE courses IN SHARE ROW EXCLUSIVE MODE;

CREATE TABLE totals (
    slot          integer PRIMARY KEY,
    complete      bigint NOT NULL DEFAULT 0,
    error         bigint NOT NULL DEFAULT 0,
    prompt_tokens     bigint NOT NULL DEFAULT 0,
    completion_tokens bigint NOT NULL DEFAULT 0,
    model_calls       bigint NOT NULL DEFAULT 0
);

INSERT INTO totals (slot) SELECT generate_series(0, 15);

UPDATE totals SET (complete, error, prompt_tokens, completion_tokens, model_calls) = (
    SELECT count(*) FILTER (WHERE status = 'complete'), count(*) FILTER (WHERE status = 'error'),
           coalesce(sum(prompt_tokens), 0), coalesce(sum(completion_tokens), 0), coalesce(sum(model_calls), 0)
    FROM courses
) WHERE slot = 0;

CREATE FUNCTION count_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE totals SET
        complete = complete + (NEW.status = 'complete')::int - (OLD.status = 'complete')::int,
        error = error + (NEW.status = 'error')::int - (OLD.status = 'error')::int,
        prompt_tokens = prompt_tokens + NEW.prompt_tokens - OLD.prompt_tokens,
        completion_tokens = completion_tokens + NEW.completion_tokens - OLD.completion_tokens,
        model_calls = model_calls + NEW.model_calls - OLD.model_calls
    WHERE slot = pg_backend_pid() % 16;
    RETURN NULL;
END $$;

-- Only what is counted fires: claims and renewals pay nothing.
CREATE TRIGGER courses_counted_when_changed AFTER UPDATE ON courses FOR EACH ROW
    WHEN (OLD.status <> NEW.status OR OLD.model_calls <> NEW.model_calls)
    EXECUTE FUNCTION count_changed();

CREATE FUNCTION count_deleted() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE totals SET complete = complete - gone.completes, error = error - gone.errors
    FROM (
        SELECT count(*) FILTER (WHERE status = 'complete') AS completes,
               count(*) FILTER (WHERE status = 'error') AS errors
        FROM deleted
    ) AS gone
    WHERE slot = pg_backend_pid() % 16;
    RETURN NULL;
END $$;

CREATE TRIGGER courses_counted_when_deleted AFTER DELETE ON courses REFERENCING OLD TABLE AS deleted
    FOR EACH STATEMENT EXECUTE FUNCTION count_deleted();
