-- What people ask that a chapter answers, in their own words: a book knows its own, which most learners do not.
-- Full text finds them with the lowest weight; each has a vector of its own.

ALTER TABLE book_chapters ADD COLUMN questions text[] NOT NULL DEFAULT '{}';

ALTER TABLE book_chapters DROP COLUMN lexemes;     -- and its index; what it is made of can be altered from Postgres 17 on

ALTER TABLE book_chapters ADD COLUMN lexemes tsvector NOT NULL GENERATED ALWAYS AS (
    setweight(to_tsvector('english', title), 'A')
    || setweight(to_tsvector('english', library_words(section_titles)), 'B')
    || setweight(to_tsvector('english', library_words(key_concepts)), 'B')
    || setweight(to_tsvector('english', summary), 'C')
    || setweight(to_tsvector('english', library_words(terms)), 'D')
    || setweight(to_tsvector('english', library_words(questions)), 'D')
    || setweight(to_tsvector('english', book_words), 'D')
) STORED;

CREATE INDEX book_chapters_lexemes ON book_chapters USING gin (lexemes);

CREATE TABLE question_vectors (
    model         text NOT NULL,
    chapter_id    bigint NOT NULL REFERENCES book_chapters ON DELETE CASCADE,
    index         integer NOT NULL,                -- position in its chapter's questions, from 0
    embedding     vector NOT NULL,
    PRIMARY KEY (model, chapter_id, index)
);

CREATE INDEX question_vectors_chapter ON question_vectors (chapter_id);

-- Planned anew at every call, with the books of a filter in it: only then are they looked up by a hash, not one by one.
ALTER FUNCTION library_with_word(tsquery, bigint, text[]) SET plan_cache_mode = force_custom_plan;
