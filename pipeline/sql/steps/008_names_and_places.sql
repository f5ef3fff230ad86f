-- Which section of its chapter answers a question and explains a key concept: positions of sections from 0, one for each
-- in the order of `questions` and `key_concepts`, NULL for the chapter as a whole; empty where nobody said it.

ALTER TABLE book_chapters ADD COLUMN question_sections integer[] NOT NULL DEFAULT '{}';

ALTER TABLE book_chapters ADD COLUMN key_concept_sections integer[] NOT NULL DEFAULT '{}';

-- What a chapter defines: its key concepts and terms, each as the lexemes of its words in one order, without what is in
-- brackets. A question that is such a name is about the chapter, however far it is from all that it says. The bodies are
-- parsed here and not when they run: a dump is restored without a search path.

CREATE FUNCTION library_name(name text) RETURNS text LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE RETURN
    array_to_string(tsvector_to_array(to_tsvector('english',
        translate(regexp_replace(name, '\s*\([^)]*\)', '', 'g'), '-–/', '   '))), ' ');

CREATE FUNCTION library_names(names text[]) RETURNS text[] LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE RETURN
    ARRAY(SELECT DISTINCT library_name(name) FROM unnest(names) AS name WHERE library_name(name) <> '');

ALTER TABLE book_chapters ADD COLUMN names text[] NOT NULL GENERATED ALWAYS AS (library_names(key_concepts || terms)) STORED;

-- As before, but for libraries just large enough for an index: 40 lists at least are looked through. With 5,000 chapters in
-- 71 lists a third of these found 97 to 98 of the nearest hundred.
CREATE OR REPLACE FUNCTION library_nearest(for_model text, question real[], most bigint, in_books text[])
    RETURNS TABLE (chapter_id bigint) LANGUAGE plpgsql ROWS 100 AS $$
DECLARE
    dimensions integer := cardinality(question);
    few CONSTANT integer := 12000;
    eligible bigint[];
    lists integer := library_index_lists(for_model);
BEGIN
    IF in_books IS NOT NULL THEN
        eligible := ARRAY(SELECT c.chapter_id FROM book_chapters AS c WHERE c.book_id = ANY(in_books));
    END IF;
    IF lists IS NULL OR cardinality(eligible) <= few THEN
        RETURN QUERY EXECUTE format(
            'SELECT v.chapter_id FROM chapter_vectors AS v WHERE v.model = %L %s '
            'ORDER BY v.embedding <#> $1::vector LIMIT $2',
            for_model, CASE WHEN eligible IS NULL THEN '' ELSE 'AND v.chapter_id = ANY($3)' END)
            USING question, most, eligible;
        RETURN;
    END IF;
    PERFORM set_config('ivfflat.probes', greatest(ceil(lists * 0.35), 40)::text, true),
            set_config('ivfflat.iterative_scan', 'relaxed_order', true),
            set_config('enable_seqscan', 'off', true), set_config('enable_sort', 'off', true);
    RETURN QUERY EXECUTE format(
        'SELECT chapter_id FROM (SELECT v.chapter_id, v.embedding FROM chapter_vectors AS v WHERE v.model = %L %s '
        'ORDER BY (v.embedding::halfvec(%s)) <#> $1::vector::halfvec(%3$s) LIMIT 2 * $2) AS near '
        'ORDER BY embedding <#> $1::vector LIMIT $2',
        for_model, CASE WHEN eligible IS NULL THEN '' ELSE 'AND v.chapter_id = ANY($3)' END, dimensions)
        USING question, most, eligible;
END $$;
