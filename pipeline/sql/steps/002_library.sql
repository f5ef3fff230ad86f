-- The library: books → chapters → sections, and what they are found by.

CREATE TABLE books (
    book_id       text PRIMARY KEY,
    origin        text NOT NULL CHECK (origin IN ('catalogue', 'own')),  -- shipped with us, or the operator's
    hash          text NOT NULL,                   -- of the whole content: another hash, another book
    title         text NOT NULL,
    authors       text[] NOT NULL,
    licence       text NOT NULL,
    url           text NOT NULL,                   -- where it can be read, exactly as its publisher gives it
    language      text NOT NULL,
    subjects      text[] NOT NULL,
    level         text NOT NULL,
    added_at      timestamptz NOT NULL DEFAULT now()
);

-- array_to_string is only "stable" because some types print by the session's settings; text does not.
CREATE FUNCTION library_words(words text[]) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE RETURN array_to_string(words, ' · ');

-- A lexeme, whatever signs it has, as the query that matches it.
CREATE FUNCTION library_word(lexeme text) RETURNS tsquery
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN ('''' || replace(replace(lexeme, '\', '\\'), '''', '''''') || '''')::tsquery;

CREATE TABLE book_chapters (
    chapter_id    bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    book_id       text NOT NULL REFERENCES books ON DELETE CASCADE,
    number        integer NOT NULL,                -- as the book counts
    title         text NOT NULL,
    summary       text NOT NULL,
    key_concepts  text[] NOT NULL,
    terms         text[] NOT NULL,                 -- names in the book's own glossary
    words         integer NOT NULL,
    url           text NOT NULL,                   -- '' where the chapter has none of its own

    -- Copies that full text needs in the row itself.
    section_titles text[] NOT NULL,
    book_words    text NOT NULL,                   -- the book's title and subjects
    lexemes       tsvector NOT NULL GENERATED ALWAYS AS (
        setweight(to_tsvector('english', title), 'A')
        || setweight(to_tsvector('english', library_words(section_titles)), 'B')
        || setweight(to_tsvector('english', library_words(key_concepts)), 'B')
        || setweight(to_tsvector('english', summary), 'C')
        || setweight(to_tsvector('english', library_words(terms)), 'D')
        || setweight(to_tsvector('english', book_words), 'D')
    ) STORED,
    UNIQUE (book_id, number)
);

CREATE INDEX book_chapters_lexemes ON book_chapters USING gin (lexemes);

CREATE TABLE book_sections (
    chapter_id    bigint NOT NULL REFERENCES book_chapters ON DELETE CASCADE,
    index         integer NOT NULL,                -- position in its chapter, from 0
    title         text NOT NULL,
    words         integer NOT NULL,
    PRIMARY KEY (chapter_id, index)
);

-- Unit vectors, apart from the text: several models can live side by side, and a model is dropped with one
-- DELETE. `vector` without a length, since models differ. There is no vector index: up to some ten thousand
-- rows a scan is a few milliseconds and exact. When there are more, an index per model fits these tables as
-- they are: USING hnsw ((embedding::vector(256)) vector_ip_ops) WHERE model = '…'.
CREATE TABLE chapter_vectors (
    model         text NOT NULL,
    chapter_id    bigint NOT NULL REFERENCES book_chapters ON DELETE CASCADE,
    embedding     vector NOT NULL,
    PRIMARY KEY (model, chapter_id)
);

CREATE INDEX chapter_vectors_chapter ON chapter_vectors (chapter_id);

CREATE TABLE section_vectors (
    model         text NOT NULL,
    chapter_id    bigint NOT NULL,
    index         integer NOT NULL,
    embedding     vector NOT NULL,
    PRIMARY KEY (model, chapter_id, index),
    FOREIGN KEY (chapter_id, index) REFERENCES book_sections ON DELETE CASCADE
);

CREATE INDEX section_vectors_section ON section_vectors (chapter_id, index);

-- In how many chapters a lexeme occurs, so that rare words of a query count more; '' counts all chapters.
-- Refreshed as a whole when books change.
CREATE TABLE library_lexemes (
    lexeme        text PRIMARY KEY,
    chapters      integer NOT NULL
);

-- Which catalogue is loaded, and for which models every chapter and section has its vector.
CREATE TABLE library_loads (
    model         text PRIMARY KEY,
    catalogue     text NOT NULL,                   -- version of the shipped catalogue
    loaded_at     timestamptz NOT NULL DEFAULT now()
);
