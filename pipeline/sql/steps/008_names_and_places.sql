-- Which section of its chapter answers a question and explains a key concept: positions of sections from 0, one for each
-- in the order of `questions` and `key_concepts`, NULL for the chapter as a whole; empty where nobody said it.

ALTER TABLE book_chapters ADD COLUMN question_sections integer[] NOT NULL DEFAULT '{}';

ALTER TABLE book_chapters ADD COLUMN key_concept_sections integer[] NOT NULL DEFAULT '{}';

-- What a chapter defines: its key concepts and terms, each as the lexemes of its words in one order, without what is in
-- brackets. A question that is such a name is about the chapter, however far it is from all that it says.

CREATE FUNCTION library_name(name text) RETURNS text LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
    SELECT array_to_string(
        tsvector_to_array(to_tsvector('english', regexp_replace(name, '\s*\([^)]*\)', '', 'g'))), ' ')
$$;

CREATE FUNCTION library_names(names text[]) RETURNS text[] LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
    SELECT ARRAY(SELECT DISTINCT library_name(name) FROM unnest(names) AS name WHERE library_name(name) <> '')
$$;

ALTER TABLE book_chapters ADD COLUMN names text[] NOT NULL GENERATED ALWAYS AS (library_names(key_concepts || terms)) STORED;
