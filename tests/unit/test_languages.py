"""In what language a question is: only what cannot be English is said to be something else."""

from __future__ import annotations

import pytest

from pipeline.library.languages import foreign_language
from tests.bench.judged import judged_queries


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("経済学の基礎", "Japanese"),
        ("学习统计", "Chinese"),
        ("통계학 입문", "Korean"),
        ("статистика для начинающих", "a language in Cyrillic letters"),
        ("تعلم الإحصاء", "a language in Arabic letters"),
        ("Wie funktioniert die Inflation?", "German"),
        ("Einführung in die Statistik", "German"),
        ("apprendre la comptabilité", "French"),
        ("introducción a la estadística", "Spanish"),
    ],
)
def test_a_foreign_question_is_told_by_its_letters_or_small_words(text: str, language: str) -> None:
    assert foreign_language(text) == language


@pytest.mark.parametrize(
    "text", ["", "12345", "🙂", "learn German", "α and β decay", "how a café in Paris is run", "E = mc²"]
)
def test_what_may_be_english_is_not_foreign(text: str) -> None:
    assert foreign_language(text) is None


def test_no_judged_query_is_taken_for_foreign() -> None:
    assert [query for query in judged_queries() if foreign_language(query)] == []
