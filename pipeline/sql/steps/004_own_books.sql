-- An operator's own books: whose they are, where in them something can be read, and those still on their way in.

ALTER TABLE books
    ADD COLUMN own    boolean NOT NULL GENERATED ALWAYS AS (origin = 'own') STORED,
    ADD COLUMN caller text;                        -- who added it; NULL for a shipped book

-- One file, one book: two that add the same file at once do not get two.
CREATE UNIQUE INDEX books_own_hash ON books (hash) WHERE own;

ALTER TABLE book_sections
    ADD COLUMN url    text NOT NULL DEFAULT '';    -- with page or anchor; '' where it has none of its own

-- A book that was read but has not all its vectors yet. Nothing in here is found by a search; a row leaves when its
-- book is published, in the same transaction.
CREATE TABLE ingests (
    hash          text PRIMARY KEY,                -- of the file
    caller        text NOT NULL,
    book          json NOT NULL,                   -- as `books export` prints it
    started_at    timestamptz NOT NULL DEFAULT now()
);

-- Its vectors so far: the chapters' and then the sections', in the book's order.
CREATE TABLE ingest_vectors (
    hash          text NOT NULL REFERENCES ingests ON DELETE CASCADE,
    model         text NOT NULL,
    position      integer NOT NULL,
    embedding     vector NOT NULL,
    PRIMARY KEY (hash, model, position)
);
