-- What /metrics tells, kept as it happens instead of counted over all courses: how many are over, and what
-- model calls took (also for courses that were deleted since). Courses in the making have an index of their own.
-- Sixteen rows, so that those who end courses at the same moment rarely wait for each other's commit.

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

CREATE FUNCTION count_course() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    is_update boolean := TG_OP = 'UPDATE';
BEGIN
    UPDATE totals SET
        complete = complete - (OLD.status = 'complete')::int
                   + CASE WHEN is_update THEN (NEW.status = 'complete')::int ELSE 0 END,
        error = error - (OLD.status = 'error')::int
                + CASE WHEN is_update THEN (NEW.status = 'error')::int ELSE 0 END,
        prompt_tokens = prompt_tokens + CASE WHEN is_update THEN NEW.prompt_tokens - OLD.prompt_tokens ELSE 0 END,
        completion_tokens = completion_tokens
            + CASE WHEN is_update THEN NEW.completion_tokens - OLD.completion_tokens ELSE 0 END,
        model_calls = model_calls + CASE WHEN is_update THEN NEW.model_calls - OLD.model_calls ELSE 0 END
    WHERE slot = pg_backend_pid() % 16;
    RETURN NULL;
END $$;

CREATE TRIGGER courses_counted_when_changed AFTER UPDATE ON courses FOR EACH ROW
    WHEN (OLD.status <> NEW.status OR OLD.model_calls <> NEW.model_calls)
    EXECUTE FUNCTION count_course();

CREATE TRIGGER courses_counted_when_deleted AFTER DELETE ON courses FOR EACH ROW
    WHEN (OLD.status <> 'processing')
    EXECUTE FUNCTION count_course();
