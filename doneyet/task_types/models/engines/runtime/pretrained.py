"""Loading a pretrained model and its tokenizer: where from, where to, and in which precision."""

from __future__ import annotations

import inspect
import logging
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch
import transformers

from doneyet.task_types.models.engines.runtime.malloc_tuning import keep_freed_memory
from doneyet.task_types.models.engines.runtime.model_files import check_files, explained, place_of
from doneyet.task_types.models.engines.runtime.positions import most_read
from doneyet.task_types.models.engines.runtime.special_tokens import SpecialTokens
from doneyet.task_types.models.model_type import ModelEntry

TOKENS_ON_PROCESSOR = 2048
"""Default of a batch's padded tokens without a GPU, where larger batches gain nothing."""
TOKENS_ON_GPU = 16384

OVERHEAD_ON_PROCESSOR = 64
"""What one more batch costs without a GPU, in tokens that could have been computed instead."""
OVERHEAD_ON_GPU = 4096


class Pretrained(NamedTuple):
    """A model in eval mode on its device, its tokenizer, and what both agree on."""

    model: Any
    tokenizer: Any
    device: torch.device
    max_tokens: int
    """The longest input that the model reads, special tokens included."""
    vocabulary: int
    """The ids that the model has a vector for are below this."""
    takes: frozenset[str]
    """Which inputs the model takes, by name."""
    pad_id: int | None
    """What the model takes for padding; None where it knows none, and any id will do."""
    tail: int
    """How many special tokens the tokenizer puts behind a text."""
    max_batch_tokens: int
    """Padded tokens of a batch: what the models table says, else what suits the device."""
    batch_overhead_tokens: int
    """What one more batch costs on the device, in tokens."""

    def tokens_and_places(self, text: str) -> tuple[list[int], list[tuple[int, int]]]:
        """The tokens of `text`, without special ones, and where each is in it, in characters."""
        encoded = self.tokenizer(
            text, add_special_tokens=False, return_offsets_mapping=True, verbose=False
        )
        return encoded["input_ids"], encoded["offset_mapping"]


def load_pretrained(
    auto_class: Any, entry: ModelEntry, subfolder: str = "", *, places: bool = False
) -> Pretrained:
    """The model that `entry` names, as `auto_class` (of transformers) makes it.

    Args:
        auto_class: what kind of model to make of its weights.
        entry: what the models table says.
        subfolder: where the files are in the model's own folder.
        places: whether `tokens_and_places` will be called.

    Raises:
        ModelNotFoundError: there are no such files here, and the hub does not have or give them.
        UnusableModelError: there are, and no model can be made of them.
        ValueError: it was not trained for this, cannot be padded, or there is no such device.
        torch.OutOfMemoryError: the device has too little memory.
    """
    quiet()
    _limit_threads(entry)
    place = place_of(entry)
    device = device_of(entry.device)
    if device.type == "cpu":
        keep_freed_memory()
    if Path(place).is_absolute():
        check_files(entry, Path(place, subfolder))
    dtype = "auto" if entry.dtype == "auto" else getattr(torch, entry.dtype)
    if entry.dtype == "auto" and device.type == "cpu":
        dtype = torch.float32  # half precision is slow, or not there, on most processors
    with explained(entry, place):
        # Code that comes with a model is never run, and nobody at a terminal is asked about it.
        where = {"revision": entry.revision, "subfolder": subfolder, "trust_remote_code": False}
        tokenizer = transformers.AutoTokenizer.from_pretrained(place, **where)
        model, loaded = auto_class.from_pretrained(
            place, **where, dtype=dtype, output_loading_info=True, ignore_mismatched_sizes=True
        )
    _refuse_wordless(entry, tokenizer)
    if places and not tokenizer.is_fast:
        raise ValueError(f"{entry.model!r} has no fast tokenizer, which tells where tokens are")
    _refuse_untrained(entry, auto_class, loaded)
    takes = frozenset(inspect.signature(model.forward).parameters)
    if "attention_mask" not in takes:
        raise ValueError(
            f"{entry.model!r} has no attention mask: it would read the padding of a batch as text"
        )
    vectors = model.get_input_embeddings().weight
    if _token_types(model) < 2:  # there is one, which is what the model takes without being told
        takes -= {"token_type_ids"}
    most, special = most_read(model, tokenizer), SpecialTokens(tokenizer)
    if most <= special.around_one:
        raise ValueError(
            f"{entry.model!r} reads {most} tokens at once, which leaves none for a text"
        )
    pad_id = getattr(model.config, "pad_token_id", None)
    if not isinstance(pad_id, int) or not 0 <= pad_id < len(vectors):
        pad_id = None
    else:
        _mend_padding(model, pad_id)
    _leave_out_damaged_words(model)
    model = model.eval().to(device)
    on_processor = device.type == "cpu"
    suits = TOKENS_ON_PROCESSOR if on_processor else TOKENS_ON_GPU
    return Pretrained(
        *(model, tokenizer, device, most, len(vectors), takes, pad_id, len(special.tail)),
        max_batch_tokens=entry.max_batch_tokens or suits,
        batch_overhead_tokens=OVERHEAD_ON_PROCESSOR if on_processor else OVERHEAD_ON_GPU,
    )


def _mend_padding(model: Any, pad_id: int) -> None:
    """Gives padding a vector of numbers where it has none.

    What is masked counts nothing, but nothing times NaN is NaN. Where texts that are written begin
    with the token, it is no mere padding, and left as it is.
    """
    if getattr(model.config, "decoder_start_token_id", None) == pad_id:
        return
    for module in model.modules():
        if isinstance(module, torch.nn.Embedding) and module.padding_idx == pad_id:
            with torch.no_grad():
                module.weight[pad_id].nan_to_num_(0.0, 0.0, 0.0)


def _leave_out_damaged_words(model: Any) -> None:
    """Has the model never write a word whose weights are no numbers; texts without it are answered.

    Often a word is read by the same weights, and there they stay what they are.
    """
    written = model.get_output_embeddings()
    if written is None or (good := written.weight.isfinite().all(dim=1)).all():
        return

    def leave_out(_: Any, __: Any, logits: torch.Tensor) -> torch.Tensor:
        return logits.masked_fill(~good.to(logits.device), -torch.inf)

    written.register_forward_hook(leave_out)


def _token_types(model: Any) -> int:
    """How many kinds of text in one sequence the model tells apart."""
    for name, module in model.named_modules():
        if name.endswith("token_type_embeddings") and hasattr(module, "num_embeddings"):
            return int(module.num_embeddings)
    return sys.maxsize


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


def _refuse_wordless(entry: ModelEntry, tokenizer: Any) -> None:
    """Refuses a tokenizer that transformers has made up, because its files are not there.

    Each word would be unknown to it, and all texts the same to the model.

    Raises:
        ValueError: it has nothing but special tokens.
    """
    if len(tokenizer) <= len(set(tokenizer.all_special_ids)):
        raise ValueError(
            f"{entry.model!r} has no tokenizer: its files, such as tokenizer.json, are missing"
        )


def _refuse_untrained(entry: ModelEntry, auto_class: Any, loaded: Mapping[str, Any]) -> None:
    """Refuses a model that transformers has completed with random weights.

    It would answer, and the answers would mean nothing. The pooler of a bare model, which nothing
    here reads, is left out of many.

    Raises:
        ValueError: weights that answers depend on are not in the model's files, or of another size.
    """
    if resized := sorted(each[0] for each in loaded["mismatched_keys"]):
        raise ValueError(
            f"{entry.model!r} has weights of another size than its configuration says: "
            f"{_some_of(resized)}"
        )
    bare = auto_class is transformers.AutoModel
    lacking = sorted(
        name for name in loaded["missing_keys"] if not (bare and "pooler" in name.split("."))
    )
    if lacking:
        raise ValueError(
            f"{entry.model!r} was not trained for this: as {auto_class.__name__} it lacks the "
            f"weights {_some_of(lacking)}"
        )


def _some_of(names: Sequence[str]) -> str:
    return f"{', '.join(names[:3])}{' and more' if len(names) > 3 else ''}"


def quiet() -> None:
    """No progress bars and no advice in the log of a worker."""
    transformers.logging.disable_progress_bar()
    transformers.logging.set_verbosity_error()
    logging.getLogger("huggingface_hub").setLevel(logging.ERROR)


def _limit_threads(entry: ModelEntry) -> None:
    """Shares the cores that this process may use among the worker processes beside it."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    torch.set_num_threads(entry.threads or max(1, (cores or 1) // entry.processes))
