"""Loading a pretrained model and its tokenizer: where from, where to, and in which precision."""

from __future__ import annotations

import importlib.resources
import logging
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

import torch
import transformers

from tasks.engines.kept_memory import keep_freed_memory
from tasks.model_type import ModelEntry

TOKENS_ON_PROCESSOR = 2048
"""Default of a batch's padded tokens without a GPU, where larger batches gain nothing."""
TOKENS_ON_GPU = 16384

OVERHEAD_ON_PROCESSOR = 64
"""What one more batch costs without a GPU, in tokens that could have been computed instead."""
OVERHEAD_ON_GPU = 4096

_POSITIONS = ("max_position_embeddings", "max_encoder_position_embeddings", "n_positions")
"""What configurations call the number of positions that a model has."""

_PATH_STARTS = ("/", "./", "../", "~")
_PACKAGE = "package:"


class ModelNotFoundError(Exception):
    """Raised when a model's files are not where the models table says; says what to do."""


class Pretrained(NamedTuple):
    """A model in eval mode on its device, and its tokenizer."""

    model: Any
    tokenizer: Any
    device: torch.device
    max_tokens: int
    """The longest input that the model reads, special tokens included."""

    @property
    def max_batch_tokens(self) -> int:
        """Padded tokens that suit the device."""
        return TOKENS_ON_PROCESSOR if self.device.type == "cpu" else TOKENS_ON_GPU

    @property
    def batch_overhead_tokens(self) -> int:
        """What one more batch costs on the device, in tokens."""
        return OVERHEAD_ON_PROCESSOR if self.device.type == "cpu" else OVERHEAD_ON_GPU


def load_pretrained(auto_class: Any, entry: ModelEntry, **model_options: Any) -> Pretrained:
    """The model that `entry` names, as `auto_class` (of transformers) makes it.

    Raises:
        ModelNotFoundError: there are no such files here, and the hub does not have or give them.
        ValueError: it was not trained for this, or there is no such device.
        OSError, torch.OutOfMemoryError: it cannot be loaded.
    """
    quiet()
    _limit_threads(entry)
    place = place_of(entry)
    device = device_of(entry.device)
    if device.type == "cpu":
        keep_freed_memory()
    dtype = "auto" if entry.dtype == "auto" else getattr(torch, entry.dtype)
    if entry.dtype == "auto" and device.type == "cpu":
        dtype = torch.float32  # half precision is slow, or not there, on most processors
    try:
        # Code that comes with a model is never run, and nobody at a terminal is asked about it.
        tokenizer = transformers.AutoTokenizer.from_pretrained(
            place, revision=entry.revision, trust_remote_code=False
        )
        model, loaded = auto_class.from_pretrained(
            place,
            revision=entry.revision,
            dtype=dtype,
            trust_remote_code=False,
            output_loading_info=True,
            **model_options,
        )
    except OSError as error:
        raise _not_found(entry, place, error) from error
    _refuse_untrained(entry, auto_class, loaded["missing_keys"])
    most = _max_tokens(model, tokenizer)
    return Pretrained(model.eval().to(device), tokenizer, device, most)


def _not_found(entry: ModelEntry, place: str, error: OSError) -> ModelNotFoundError:
    """Says what to do, and the first line of what transformers says."""
    first = str(error).strip().split("\n", 1)[0]
    if Path(place).is_absolute():
        return ModelNotFoundError(f"{entry.model!r} is no whole model: {first}")
    hint = ""
    if (entry.folder / place).is_dir():
        hint = f"; for the folder beside the models table write './{place}'"
    return ModelNotFoundError(
        f"{entry.model!r} is not here and cannot be fetched; check its name in the models table, "
        f"or that the model hub can be reached{hint} ({first})"
    )


def _max_tokens(model: Any, tokenizer: Any) -> int:
    """The smaller of what the tokenizer says and how many positions the model has.

    Tokenizers that say nothing give an enormous number. RoBERTa and its relatives count positions
    from behind that of padding.
    """
    configured = (getattr(model.config, name, None) for name in _POSITIONS)
    known = [count for count in configured if isinstance(count, int) and count > 0]
    for name, module in model.named_modules():
        if name.endswith("position_embeddings") and getattr(module, "padding_idx", None):
            known.append(module.num_embeddings - module.padding_idx - 1)
    return min([int(tokenizer.model_max_length), *known])


def place_of(entry: ModelEntry) -> str:
    """Where transformers finds the entry's model: a folder's path, or a hub id.

    Raises:
        ModelNotFoundError: a package that is not installed, or a folder that is not there.
    """
    name = entry.model
    if name.startswith(_PACKAGE):
        package, _, folder = name.removeprefix(_PACKAGE).partition("/")
        try:
            path = Path(str(importlib.resources.files(package))) / folder
        except ModuleNotFoundError as error:
            raise ModelNotFoundError(
                f"{name!r}: the Python package {package!r} is not installed here"
            ) from error
    elif name.startswith(_PATH_STARTS):
        path = Path(name).expanduser()
        if not path.is_absolute():
            path = entry.folder / path
    else:
        return name
    if not path.is_dir():
        raise ModelNotFoundError(f"{name!r}: there is no folder {str(path)!r}")
    return str(path)


def device_of(wanted: str) -> torch.device:
    """The device that `wanted` names; `auto`: a GPU where there is one.

    Raises:
        ValueError: there is no such device here.
    """
    if wanted == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    device = torch.device(wanted)
    there = {
        "cpu": True,
        "cuda": torch.cuda.is_available() and (device.index or 0) < torch.cuda.device_count(),
        "mps": torch.backends.mps.is_available(),
    }
    if not there[device.type]:
        raise ValueError(f"there is no device {wanted!r} here; use 'auto' or 'cpu'")
    return device


def _refuse_untrained(entry: ModelEntry, auto_class: Any, missing: Iterable[str]) -> None:
    """Refuses a model that transformers has completed with random weights.

    It would answer, and the answers would mean nothing. The pooler, which nothing here reads, is
    left out of many models.

    Raises:
        ValueError: weights that answers depend on are not in the model's files.
    """
    lacking = sorted(name for name in missing if "pooler" not in name.split("."))
    if lacking:
        raise ValueError(
            f"{entry.model!r} was not trained for this: as {auto_class.__name__} it lacks the "
            f"weights {', '.join(lacking[:3])}{' and more' if len(lacking) > 3 else ''}"
        )


def quiet() -> None:
    """No progress bars and no advice in the log of a worker."""
    transformers.logging.disable_progress_bar()
    transformers.logging.set_verbosity_error()
    logging.getLogger("huggingface_hub").setLevel(logging.ERROR)


def _limit_threads(entry: ModelEntry) -> None:
    """Shares the cores that this process may use among the worker processes beside it."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    torch.set_num_threads(entry.threads or max(1, (cores or 1) // entry.processes))
