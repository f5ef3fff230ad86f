-- Search in libraries of any size: exact in small ones, by an HNSW index per embedding model in large ones.

-- What a model's index is called, if it has one (pipeline/library/indexes.py makes it).
CREATE FUNCTION library_index_name(model text) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE RETURN 'chapter_vectors_hnsw_' || left(md5(model), 8);

-- The chapters whose vectors are nearest to a question's. `in_books`: only chapters of these books; NULL: of all. The statements are put together here because the index is partial (one model's vectors) and on an
-- expression (of that model's dimensions): only a plan that has both as constants can use it. A filter is applied
-- while the index is scanned, which goes on until there are enough (iterative scan); where it leaves few chapters,
-- going through those is faster, and exact. A question lies apart from the chapters among which the index's graph
-- was built, so four times as many are taken from it, with its greatest care, and the nearest of them kept.
CREATE FUNCTION library_nearest(for_model text, question real[], most bigint, in_books text[])
    RETURNS TABLE (chapter_id bigint) LANGUAGE plpgsql ROWS 100 AS $$
DECLARE
    dimensions integer := cardinality(question);
    few CONSTANT integer := 12000;
    eligible bigint[];
    has_index boolean := to_regclass(library_index_name(for_model)) IS NOT NULL;
BEGIN
    IF in_books IS NOT NULL THEN
        eligible := ARRAY(SELECT c.chapter_id FROM book_chapters AS c WHERE c.book_id = ANY(in_books));
    END IF;
    IF NOT has_index OR cardinality(eligible) <= few THEN
        RETURN QUERY EXECUTE format(
            'SELECT v.chapter_id FROM chapter_vectors AS v WHERE v.model = %L %s '
            'ORDER BY v.embedding <#> $1::vector LIMIT $2',
            for_model, CASE WHEN eligible IS NULL THEN '' ELSE 'AND v.chapter_id = ANY($3)' END)
            USING question, most, eligible;
        RETURN;
    END IF;
    PERFORM set_config('hnsw.ef_search', '1000', true),
            set_config('hnsw.iterative_scan', 'relaxed_order', true),
            set_config('hnsw.max_scan_tuples', '40000', true);
    RETURN QUERY EXECUTE format(
        'SELECT chapter_id FROM (SELECT v.chapter_id, v.embedding FROM chapter_vectors AS v WHERE v.model = %L %s '
        'ORDER BY (v.embedding::halfvec(%s)) <#> $1::vector::halfvec(%3$s) LIMIT 4 * $2) AS near '
        'ORDER BY embedding <#> $1::vector LIMIT $2',
        for_model, CASE WHEN eligible IS NULL THEN '' ELSE 'AND v.chapter_id = ANY($3)' END, dimensions)
        USING question, most, eligible;
END $$;

-- Chapters that have a word, at most so many. By the index always: the planner does not count what it costs to
-- unpack the lexemes of every chapter of a small library, which is a hundred times more.
CREATE FUNCTION library_with_word(word tsquery, most bigint, in_books text[])
    RETURNS TABLE (chapter_id bigint) LANGUAGE plpgsql STABLE ROWS 100 SET enable_seqscan = off AS $$
BEGIN
    RETURN QUERY SELECT c.chapter_id FROM book_chapters AS c
                 WHERE c.lexemes @@ word AND (in_books IS NULL OR c.book_id = ANY(in_books)) LIMIT most;
END $$;

-- Makes a model's index, in which an update by `INSERT` or `DELETE` takes care of itself. Half precision halves it and
-- costs no recall; what is found is scored with the full vectors.
CREATE FUNCTION library_make_index(for_model text, dimensions integer) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM set_config('maintenance_work_mem', '512MB', true);
    EXECUTE format('CREATE INDEX IF NOT EXISTS %I ON chapter_vectors '
                   'USING hnsw ((embedding::halfvec(%s)) halfvec_ip_ops) '
                   'WITH (m = 32, ef_construction = 200) WHERE model = %L',
                   library_index_name(for_model), dimensions, for_model);
END $$;
