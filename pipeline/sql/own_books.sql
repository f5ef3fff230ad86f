-- An operator's own books on their way into the library and out of it.

-- name: own_book_of$
-- The book that was made of a file.
SELECT book_id FROM books WHERE own AND hash = :hash;

-- name: ingest^
SELECT book FROM ingests WHERE hash = :hash;

-- name: begin_ingest!
INSERT INTO ingests (hash, caller, book) VALUES (:hash, :caller, :book::json) ON CONFLICT DO NOTHING;

-- name: forget_ingests!
-- What nobody went on with for a week.
DELETE FROM ingests WHERE started_at < now() - interval '7 days';

-- name: embedded_positions
SELECT position FROM ingest_vectors WHERE hash = :hash AND model = :model;

-- name: store_ingest_vectors!
-- `:numbers` is all vectors one after another. Nothing is stored for a book that was published meanwhile.
INSERT INTO ingest_vectors (hash, model, position, embedding)
SELECT :hash::text, :model::text, v.position,
       ((:numbers::real[])[(v.place - 1) * :dimensions::bigint + 1 : v.place * :dimensions::bigint])::vector
FROM unnest(:positions::integer[]) WITH ORDINALITY AS v(position, place)
WHERE EXISTS (SELECT FROM ingests WHERE hash = :hash)
ON CONFLICT DO NOTHING;

-- name: id_is_free$
SELECT NOT EXISTS (SELECT FROM books WHERE book_id = :book_id);

-- name: sign_book!
UPDATE books SET caller = :caller WHERE book_id = :book_id;

-- name: publish_chapter_vectors!
INSERT INTO chapter_vectors (model, chapter_id, embedding)
SELECT v.model, c.chapter_id, v.embedding
FROM (SELECT chapter_id, row_number() OVER (ORDER BY number) - 1 AS position
      FROM book_chapters WHERE book_id = :book_id) AS c
     JOIN ingest_vectors AS v ON v.hash = :hash AND v.position = c.position;

-- name: publish_section_vectors!
INSERT INTO section_vectors (model, chapter_id, index, embedding)
SELECT v.model, s.chapter_id, s.index, v.embedding
FROM (SELECT chapter_id, index, row_number() OVER (ORDER BY c.number, s.index) - 1
             + (SELECT count(*) FROM book_chapters WHERE book_id = :book_id) AS position
      FROM book_sections AS s JOIN book_chapters AS c USING (chapter_id) WHERE c.book_id = :book_id) AS s
     JOIN ingest_vectors AS v ON v.hash = :hash AND v.position = s.position;

-- name: publish_question_vectors!
INSERT INTO question_vectors (model, chapter_id, index, embedding)
SELECT v.model, q.chapter_id, q.index, v.embedding
FROM (SELECT c.chapter_id, asked.position - 1 AS index, row_number() OVER (ORDER BY c.number, asked.position) - 1
             + (SELECT count(*) FROM book_chapters WHERE book_id = :book_id)
             + (SELECT count(*) FROM book_sections JOIN book_chapters USING (chapter_id)
                WHERE book_id = :book_id) AS position
      FROM book_chapters AS c, unnest(c.questions) WITH ORDINALITY AS asked(question, position)
      WHERE c.book_id = :book_id) AS q
     JOIN ingest_vectors AS v ON v.hash = :hash AND v.position = q.position;

-- name: add_lexemes!
-- As count_lexemes would find it now, without looking at the other books.
INSERT INTO library_lexemes (lexeme, chapters)
SELECT word, ndoc
FROM ts_stat(format('SELECT lexemes FROM book_chapters WHERE book_id = %L', :book_id::text))
UNION ALL SELECT '', count(*) FROM book_chapters WHERE book_id = :book_id
ON CONFLICT (lexeme) DO UPDATE SET chapters = library_lexemes.chapters + excluded.chapters;

-- name: take_lexemes!
-- Before its book goes.
WITH counted AS (
    SELECT word, ndoc
    FROM ts_stat(format('SELECT lexemes FROM book_chapters WHERE book_id = %L', :book_id::text))
    UNION ALL SELECT '', count(*) FROM book_chapters WHERE book_id = :book_id
)
UPDATE library_lexemes AS l SET chapters = l.chapters - counted.ndoc FROM counted WHERE l.lexeme = counted.word;

-- name: drop_lexemes!
DELETE FROM library_lexemes WHERE chapters <= 0 AND lexeme <> '';

-- name: finish_ingest!
DELETE FROM ingests WHERE hash = :hash;

-- name: unload_others!
-- The book has vectors of one model: whoever has those of another has to look again.
DELETE FROM library_loads WHERE model <> :model;

-- name: origin_of$
SELECT origin FROM books WHERE book_id = :book_id FOR UPDATE;

-- name: remove_own_book!
DELETE FROM books WHERE book_id = :book_id AND own;
