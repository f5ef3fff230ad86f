-- The library. Vectors are unit vectors, so the inner product is the cosine (pgvector's <#> is its negative).

-- name: unlock_library$
SELECT pg_advisory_unlock(:key::bigint);

-- name: is_loaded$
SELECT EXISTS (SELECT FROM library_loads WHERE model = :model AND catalogue = :catalogue);

-- name: stored_books
SELECT book_id, hash, origin FROM books;

-- name: remove_books!
DELETE FROM books WHERE book_id = ANY(:book_ids::text[]);

-- name: store_book!
-- A whole book from its JSON, with its chapters and sections.
WITH facts AS (
    SELECT :book::json AS book
), stored AS (
    INSERT INTO books (book_id, origin, hash, title, authors, licence, url, language, subjects, level)
    SELECT b.id, :origin::text, :hash::text, b.title, coalesce(b.authors, '{}'), coalesce(b.licence, ''),
           coalesce(b.url, ''), coalesce(b.language, 'en'), coalesce(b.subjects, '{}'), coalesce(b.level, '')
    FROM facts, json_to_record(book) AS b(id text, title text, authors text[], licence text, url text,
                                          language text, subjects text[], level text)
), chapters AS (
    INSERT INTO book_chapters (book_id, number, title, summary, key_concepts, key_concept_sections, terms, questions,
                               question_sections, words, url, section_titles, book_words)
    SELECT book ->> 'id', c.number, c.title, coalesce(c.summary, ''), coalesce(c.key_concepts, '{}'),
           coalesce(c.key_concept_sections, '{}'), coalesce(c.terms, '{}'), coalesce(c.questions, '{}'),
           coalesce(c.question_sections, '{}'), coalesce(c.words, 0), coalesce(c.url, ''),
           ARRAY(SELECT s ->> 'title' FROM json_array_elements(c.sections) AS s),
           concat_ws(' · ', book ->> 'title', (SELECT string_agg(subject, ' · ')
                                               FROM json_array_elements_text(book -> 'subjects') AS subject))
    FROM facts, json_to_recordset(book -> 'chapters') AS c(number integer, title text, summary text,
        key_concepts text[], key_concept_sections integer[], terms text[], questions text[], question_sections integer[],
        words integer, url text, sections json)
    RETURNING chapter_id, number
)
INSERT INTO book_sections (chapter_id, index, title, words, url)
SELECT chapters.chapter_id, s.position - 1, s.section ->> 'title', coalesce((s.section ->> 'words')::integer, 0),
       coalesce(s.section ->> 'url', '')
FROM facts, json_array_elements(book -> 'chapters') AS c,
     json_array_elements(c -> 'sections') WITH ORDINALITY AS s(section, position), chapters
WHERE chapters.number = (c ->> 'number')::integer;

-- name: forget_lexemes!
DELETE FROM library_lexemes;

-- name: count_lexemes!
INSERT INTO library_lexemes (lexeme, chapters)
SELECT word, ndoc FROM ts_stat('SELECT lexemes FROM book_chapters')
UNION ALL SELECT '', count(*) FROM book_chapters;

-- name: chapters_without_vector
SELECT c.chapter_id, 0 AS index, c.title, c.summary, c.key_concepts, c.section_titles, b.title AS book_title
FROM book_chapters AS c JOIN books AS b USING (book_id)
WHERE (c.chapter_id, 0) > (:after, :after_index)
  AND NOT EXISTS (SELECT FROM chapter_vectors AS v WHERE v.model = :model AND v.chapter_id = c.chapter_id)
ORDER BY c.chapter_id LIMIT :most;

-- name: sections_without_vector
SELECT s.chapter_id, s.index, s.title, c.title AS chapter_title
FROM book_sections AS s JOIN book_chapters AS c USING (chapter_id)
WHERE (s.chapter_id, s.index) > (:after, :after_index)
  AND NOT EXISTS (SELECT FROM section_vectors AS v
                  WHERE v.model = :model AND v.chapter_id = s.chapter_id AND v.index = s.index)
ORDER BY s.chapter_id, s.index LIMIT :most;

-- name: questions_without_vector
SELECT c.chapter_id, q.position - 1 AS index, q.question
FROM book_chapters AS c, unnest(c.questions) WITH ORDINALITY AS q(question, position)
WHERE (c.chapter_id, q.position - 1) > (:after, :after_index)
  AND NOT EXISTS (SELECT FROM question_vectors AS v
                  WHERE v.model = :model AND v.chapter_id = c.chapter_id AND v.index = q.position - 1)
ORDER BY c.chapter_id, q.position LIMIT :most;

-- name: store_chapter_vectors!
-- `:numbers` is all vectors one after another. The three kinds are stored by one call: `:indexes` is all 0 here.
INSERT INTO chapter_vectors (model, chapter_id, embedding)
SELECT :model::text, v.chapter_id,
       ((:numbers::real[])[(v.position - 1) * :dimensions::bigint + 1 : v.position * :dimensions::bigint])::vector
FROM unnest(:chapter_ids::bigint[], :indexes::integer[]) WITH ORDINALITY AS v(chapter_id, index, position)
ON CONFLICT DO NOTHING;

-- name: store_section_vectors!
INSERT INTO section_vectors (model, chapter_id, index, embedding)
SELECT :model::text, v.chapter_id, v.index,
       ((:numbers::real[])[(v.position - 1) * :dimensions::bigint + 1 : v.position * :dimensions::bigint])::vector
FROM unnest(:chapter_ids::bigint[], :indexes::integer[]) WITH ORDINALITY AS v(chapter_id, index, position)
ON CONFLICT DO NOTHING;

-- name: store_question_vectors!
INSERT INTO question_vectors (model, chapter_id, index, embedding)
SELECT :model::text, v.chapter_id, v.index,
       ((:numbers::real[])[(v.position - 1) * :dimensions::bigint + 1 : v.position * :dimensions::bigint])::vector
FROM unnest(:chapter_ids::bigint[], :indexes::integer[]) WITH ORDINALITY AS v(chapter_id, index, position)
ON CONFLICT DO NOTHING;

-- name: mark_stale!
-- The books changed: whoever has vectors of another model has to look again.
DELETE FROM library_loads;

-- name: analyze#
-- So that the first searches are planned for tables that are full.
ANALYZE books, book_chapters, book_sections, chapter_vectors, section_vectors, question_vectors, library_lexemes;

-- name: mark_loaded!
INSERT INTO library_loads (model, catalogue) VALUES (:model, :catalogue)
ON CONFLICT (model) DO UPDATE SET catalogue = excluded.catalogue, loaded_at = now();

-- name: search
-- Chapters about a question. Two rankings (chapter vectors, words) put candidates forward. Each comes with what
-- its score is made of: the cosine to the chapter and to its nearest section, and `coverage`, the share of the
-- question's words that occur in the chapter, rare words counting more (inverse document frequency). Two words
-- side by side ("civil war") count once more as a pair, with the mean of their weights. `unknown` is the share of
-- the question's words that no chapter has, the same for all; `defined`, whether the chapter has the question among its
-- key concepts and terms. Candidates are sought by
-- the rarest words, as many as `:most_rows` chapters allow: frequent ones tell little and are in most of a large
-- library. A filter is NULL where nothing is asked of books.
WITH question AS MATERIALIZED (
    SELECT :vector::real[]::vector AS embedding
), chosen AS MATERIALIZED (
    SELECT CASE WHEN coalesce(:subject::text, :level::text, :language::text, :licence::text, :own::boolean::text)
                     IS NOT NULL
           THEN ARRAY(SELECT book_id FROM books
                      WHERE (:subject IS NULL OR lower(:subject) IN (SELECT lower(s) FROM unnest(subjects) AS s))
                        AND (:level IS NULL OR level = :level)
                        AND (:language IS NULL OR starts_with(lower(language) || '-', lower(:language) || '-'))
                        AND (:licence IS NULL OR starts_with(lower(licence) || ' ', lower(:licence) || ' '))
                        AND (:own::boolean IS NULL OR own = :own::boolean))
           END AS books
), spoken AS MATERIALIZED (
    SELECT w.lexeme, place, coalesce(known.chapters, 0) AS chapters,
           ln((everything.chapters + 1) / (coalesce(known.chapters, 0) + 0.5)) AS weight
    FROM unnest(to_tsvector('english', :words::text)) AS w CROSS JOIN unnest(w.positions) AS place
         LEFT JOIN library_lexemes AS known USING (lexeme)
         CROSS JOIN (SELECT chapters FROM library_lexemes WHERE lexeme = '') AS everything
    ORDER BY place LIMIT :most_words
), word AS MATERIALIZED (
    SELECT library_word(lexeme) AS word, max(weight) AS weight, max(chapters) AS chapters, false AS is_pair
    FROM spoken GROUP BY lexeme
    UNION ALL
    SELECT library_word(a.lexeme) <-> library_word(b.lexeme), max(a.weight + b.weight) / 2, NULL, true
    FROM spoken AS a JOIN spoken AS b ON b.place = a.place + 1 AND b.lexeme <> a.lexeme
    GROUP BY a.lexeme, b.lexeme
), sought AS MATERIALIZED (
    SELECT word, weight
    FROM (SELECT word, weight, row_number() OVER by_rarity AS place, sum(chapters) OVER by_rarity AS rows
          FROM word WHERE chapters > 0 WINDOW by_rarity AS (ORDER BY chapters, word::text)) AS rarest
    WHERE rows <= :most_rows OR place = 1
), with_words AS (
    SELECT c.chapter_id
    FROM sought CROSS JOIN LATERAL library_with_word(sought.word, :most_rows, (SELECT books FROM chosen)) AS c
    GROUP BY c.chapter_id ORDER BY sum(sought.weight) DESC, c.chapter_id LIMIT :most
), candidates AS MATERIALIZED (
    SELECT chapter_id FROM library_nearest(:model::text, :vector::real[], :most, (SELECT books FROM chosen))
    UNION
    SELECT chapter_id FROM with_words
)
SELECT c.chapter_id, c.book_id, c.number, c.title, c.words, b.title AS book_title,
       -(v.embedding <#> (SELECT embedding FROM question)) AS cosine,
       (SELECT -min(s.embedding <#> (SELECT embedding FROM question)) FROM section_vectors AS s
        WHERE s.model = :model AND s.chapter_id = c.chapter_id) AS section_cosine,
       (SELECT -min(q.embedding <#> (SELECT embedding FROM question)) FROM question_vectors AS q
        WHERE q.model = :model AND q.chapter_id = c.chapter_id) AS question_cosine,
       (SELECT sum(word.weight) FROM word WHERE c.lexemes @@ word.word)::float8
           / (SELECT nullif(least(sum(weight), :enough_weight::float8), 0) FROM word) AS coverage,
       (SELECT sum(weight) FILTER (WHERE chapters = 0) / sum(weight) FROM word WHERE NOT is_pair)::float8 AS unknown,
       (SELECT library_name(:words)) = ANY(c.names) AS defined
FROM candidates JOIN book_chapters AS c USING (chapter_id) JOIN books AS b USING (book_id)
     JOIN chapter_vectors AS v ON v.model = :model AND v.chapter_id = c.chapter_id;

-- name: needs_index$
-- Whether a model has so many vectors that an index pays, and none yet, or one made when there were half as many.
-- Iterative scans came with pgvector 0.8.
SELECT (SELECT string_to_array(extversion, '.')::int[] >= '{0,8}' FROM pg_extension WHERE extname = 'vector')
       AND (SELECT count(*) >= greatest(:from_chapters, 2 * coalesce(library_index_lists(:model), 0) ^ 2)
            FROM chapter_vectors WHERE model = :model)
       AND (SELECT vector_dims(embedding) <= 4000 FROM chapter_vectors WHERE model = :model LIMIT 1);

-- name: dimensions$
SELECT vector_dims(embedding) FROM chapter_vectors WHERE model = :model LIMIT 1;

-- name: count_vectors^
-- How many chapters, sections and questions there are, and how many of them have a vector of a model.
SELECT (SELECT count(*) + coalesce(sum(cardinality(questions)), 0) FROM book_chapters)
           + (SELECT count(*) FROM book_sections) AS texts,
       (SELECT count(*) FROM chapter_vectors WHERE model = :model)
           + (SELECT count(*) FROM section_vectors WHERE model = :model)
           + (SELECT count(*) FROM question_vectors WHERE model = :model) AS done;

-- name: embedded_with
-- The models that there are vectors of.
SELECT model FROM library_loads ORDER BY loaded_at DESC;

-- name: has_load$
-- Whether the library is whole with vectors of a model: an own book may have them when the others do not yet.
SELECT EXISTS (SELECT FROM library_loads WHERE model = :model);

-- name: chapters
-- Chapters with all that an author reads of them, by (book, number).
SELECT c.chapter_id, c.number, c.title, c.summary, c.key_concepts, c.key_concept_sections, c.questions,
       c.question_sections, c.words, coalesce(nullif(c.url, ''), b.url) AS url, b.book_id, b.title AS book_title,
       b.authors, b.licence, b.url AS book_url, b.language, b.subjects, b.level
FROM unnest(:book_ids::text[], :numbers::integer[]) AS wanted(book_id, number)
     JOIN book_chapters AS c USING (book_id, number) JOIN books AS b USING (book_id);

-- name: sections
-- The sections of chapters, with how close each is to a question: by its heading, and by what people ask of it.
WITH question AS MATERIALIZED (
    SELECT :vector::real[]::vector AS embedding
), answered AS (
    SELECT q.chapter_id, c.question_sections[q.index + 1] AS index, max(-(q.embedding <#> question.embedding)) AS cosine
    FROM question_vectors AS q JOIN book_chapters AS c USING (chapter_id) CROSS JOIN question
    WHERE q.model = :model AND q.chapter_id = ANY(:chapter_ids::bigint[])
    GROUP BY q.chapter_id, c.question_sections[q.index + 1]
)
SELECT s.chapter_id, s.index, s.title, s.words, s.url,
       coalesce(-(v.embedding <#> (SELECT embedding FROM question)), 0) AS similarity, answered.cosine AS answers
FROM book_sections AS s
     LEFT JOIN section_vectors AS v ON v.model = :model AND v.chapter_id = s.chapter_id AND v.index = s.index
     LEFT JOIN answered ON answered.chapter_id = s.chapter_id AND answered.index = s.index
WHERE s.chapter_id = ANY(:chapter_ids::bigint[])
ORDER BY s.chapter_id, s.index;

-- name: books
SELECT b.book_id, b.title, b.authors, b.licence, b.url, b.language, b.subjects, b.level, b.own,
       count(c.chapter_id) AS chapters_count
FROM books AS b LEFT JOIN book_chapters AS c USING (book_id)
GROUP BY b.book_id ORDER BY lower(b.title) COLLATE "C", b.book_id;

-- name: book^
SELECT book_id, title, authors, licence, url, language, subjects, level, own FROM books WHERE book_id = :book_id;

-- name: chapters_of
SELECT c.number, c.title, c.summary, c.key_concepts, c.key_concept_sections, c.terms, c.questions, c.question_sections,
       c.words, coalesce(nullif(c.url, ''), b.url) AS url, c.section_titles,
       ARRAY(SELECT s.words FROM book_sections AS s WHERE s.chapter_id = c.chapter_id ORDER BY s.index) AS section_words,
       ARRAY(SELECT coalesce(nullif(s.url, ''), nullif(c.url, ''), b.url) FROM book_sections AS s
             WHERE s.chapter_id = c.chapter_id ORDER BY s.index) AS section_urls
FROM book_chapters AS c JOIN books AS b USING (book_id)
WHERE c.book_id = :book_id ORDER BY c.number;
