-- What a course's model calls took, and what had to be mended in their answers: its ledger.

ALTER TABLE courses
    ADD COLUMN prompt_tokens     bigint NOT NULL DEFAULT 0,
    ADD COLUMN completion_tokens bigint NOT NULL DEFAULT 0,
    ADD COLUMN model_calls       bigint NOT NULL DEFAULT 0,
    ADD COLUMN repairs           jsonb NOT NULL DEFAULT '{}';    -- by task, each a list of sentences
