-- Search in libraries of any size: exact in small ones, by an index per embedding model in large ones.

-- What a model's index is called, if it has one (library_make_index makes it).
CREATE FUNCTION library_index_name(model text) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE RETURN 'chapter_vectors_ivf_' || left(md5(model), 8);

-- Into how many lists a model's index divides its vectors; NULL: it has no index.
CREATE FUNCTION library_index_lists(model text) RETURNS integer
    LANGUAGE sql STABLE RETURN (
        SELECT substring(array_to_string(reloptions, ' ') FROM 'lists=([0-9]+)')::integer FROM pg_class
        WHERE oid = to_regclass(library_index_name(model)));

-- The chapters whose vectors are nearest to a question's. `in_books`: only chapters of these books; NULL: of all.
-- The statements are put together here because the index is partial (one model's vectors) and on an expression (of
-- that model's dimensions): only a plan that has both as constants can use it. A filter is applied while the index is
-- scanned, which goes on until there are enough (iterative scan); where it leaves few chapters, going through those
-- is faster, and exact. A third of the lists are looked through: see library_make_index.
CREATE FUNCTION library_nearest(for_model text, question real[], most bigint, in_books text[])
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
    PERFORM set_config('ivfflat.probes', ceil(lists * 0.35)::text, true),
            set_config('ivfflat.iterative_scan', 'relaxed_order', true),
            set_config('enable_seqscan', 'off', true), set_config('enable_sort', 'off', true);
    RETURN QUERY EXECUTE format(
        'SELECT chapter_id FROM (SELECT v.chapter_id, v.embedding FROM chapter_vectors AS v WHERE v.model = %L %s '
        'ORDER BY (v.embedding::halfvec(%s)) <#> $1::vector::halfvec(%3$s) LIMIT 2 * $2) AS near '
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

-- Makes a model's index, or makes it anew where there are many more chapters than when it was made. Inverted lists
-- (IVFFlat) and not a graph (HNSW): questions lie apart from the chapters among which a graph is built, and chapters
-- on one subject lie close together, so that a search loses its way: with 100,000 chapters a graph with 64 links
-- each found two thirds of the nearest, the lists 99.7 % in less time, made in two seconds instead of four minutes.
-- Half precision halves it and costs no recall; what is found is scored with the full vectors.
CREATE FUNCTION library_make_index(for_model text, dimensions integer) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM set_config('maintenance_work_mem', '256MB', true);
    EXECUTE format('DROP INDEX IF EXISTS %I', library_index_name(for_model));
    EXECUTE format('CREATE INDEX %I ON chapter_vectors USING ivfflat ((embedding::halfvec(%s)) halfvec_ip_ops) '
                   'WITH (lists = %s) WHERE model = %L', library_index_name(for_model), dimensions,
                   (SELECT ceil(sqrt(count(*))) FROM chapter_vectors WHERE model = for_model), for_model);
END $$;
