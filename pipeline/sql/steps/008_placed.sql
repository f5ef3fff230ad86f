-- Which section of its chapter answers a question and explains a key concept: positions of sections from 0, one for each
-- in the order of `questions` and `key_concepts`, NULL for the chapter as a whole; empty where nobody said it.

ALTER TABLE book_chapters ADD COLUMN question_sections integer[] NOT NULL DEFAULT '{}';

ALTER TABLE book_chapters ADD COLUMN key_concept_sections integer[] NOT NULL DEFAULT '{}';
