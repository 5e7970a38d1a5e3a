"""What the folder of a sentence-transformers model says of how texts become vectors.

`modules.json` names the steps in order: a transformer, a pooling, then layers that change the
vector. Each has a folder with a configuration. A step, or a part of one, that is not understood is
refused: to leave it out would give vectors that the model was not trained for. Without
`modules.json` a text's vector is the mean of its tokens' vectors.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

import torch
from safetensors.torch import load_file
from transformers.utils.hub import cached_file

from doneyet.task_types.models.engines.runtime.model_files import UnusableModelError, check_files
from doneyet.task_types.models.engines.sentences.pooling import (
    ACTIVATIONS,
    MODES,
    Dense,
    Layer,
    Normalize,
)
from doneyet.task_types.models.model_type import ModelEntry

_TRANSFORMER_CONFIGS = tuple(
    f"sentence_{kind}_config.json"
    for kind in ("bert", "roberta", "distilbert", "camembert", "albert", "xlm-roberta", "xlnet")
)
_OLD_MODES = {
    "pooling_mode_cls_token": "cls",
    "pooling_mode_max_tokens": "max",
    "pooling_mode_mean_tokens": "mean",
    "pooling_mode_mean_sqrt_len_tokens": "mean_sqrt_len_tokens",
    "pooling_mode_weightedmean_tokens": "weightedmean",
    "pooling_mode_lasttoken": "lasttoken",
}
"""In the order in which several are put together."""

_VECTOR = "sentence_embedding"
_READ_TEXT = {"method": "forward", "method_output_name": "last_hidden_state"}


class SentenceFolder(NamedTuple):
    """How a model makes a vector of a text; by itself: as the mean of its tokens' vectors."""

    transformer: str = ""
    """Where the transformer's files are in the model's folder."""
    pooling: tuple[str, ...] = ("mean",)
    """One of `MODES`, or several, whose vectors are put together."""
    pools_prompt: bool = True
    """Whether the prompt's tokens are pooled with those of the text."""
    layers: tuple[Layer, ...] = ()
    """What happens to the vector then."""
    max_tokens: int | None = None
    lower_case: bool = False
    """Whether the tokenizer gets small letters only."""
    prompts: Mapping[str, str] = {}
    """What is put before texts, by its name."""
    default_prompt: str = ""
    """What is put before texts that have no part of their own."""

    @property
    def query_prompt(self) -> str:
        """What is put before what is looked for."""
        return self.prompts.get("query", self.default_prompt)

    @property
    def document_prompt(self) -> str:
        """What is put before where it is looked for."""
        names = (name for name in ("document", "passage", "corpus") if name in self.prompts)
        return self.prompts.get(next(names, ""), self.default_prompt)


def read_sentence_folder(entry: ModelEntry, place: str) -> SentenceFolder:
    """What the folder of `entry`, which is at `place` (a path, or a hub id), says.

    Raises:
        UnusableModelError: it says something that is not understood here; names the file.
    """
    if Path(place).is_absolute():
        check_files(entry, Path(place))
    return _Reader(entry, place).read()


class _Reader:
    def __init__(self, entry: ModelEntry, place: str) -> None:
        self._entry, self._place = entry, place

    def read(self) -> SentenceFolder:
        modules = self._json("", "modules.json", list)
        if modules is None:
            return SentenceFolder()
        steps = [self._step(module) for module in modules]
        kinds = [kind for kind, _ in steps]
        if kinds[:2] != ["Transformer", "Pooling"]:
            named = ", ".join(kinds) or "none"
            raise self._refused(
                "modules.json", f"has other steps than a transformer first ({named})"
            )
        transformer, pooling = steps[0][1], steps[1][1]
        layers = [self._layer(kind, path) for kind, path in steps[2:]]
        modes, pools_prompt = self._pooling(pooling)
        told = self._transformer(transformer)
        prompts, default = self._prompts()
        return SentenceFolder(
            transformer=transformer,
            pooling=modes,
            pools_prompt=pools_prompt,
            layers=tuple(layer for layer in layers if layer is not None),
            max_tokens=told.get("max_seq_length"),
            lower_case=bool(told.get("do_lower_case")),
            prompts=prompts,
            default_prompt=default,
        )

    def _step(self, module: Any) -> tuple[str, str]:
        """A step's kind and folder."""
        told = module if isinstance(module, dict) else {}
        kind, path = str(told.get("type")), str(told.get("path"))
        if not kind.startswith("sentence_transformers.") or "path" not in told or ".." in path:
            raise self._refused("modules.json", f"has the step {module!r}")
        if (folder := Path(self._place, path)).is_absolute() and folder.is_dir():
            check_files(self._entry, folder)
        return kind.rpartition(".")[2], path

    def _pooling(self, path: str) -> tuple[tuple[str, ...], bool]:
        """How tokens are pooled, and whether the prompt's are."""
        told = self._config(path)
        old = {name: told.pop(name) for name in _OLD_MODES if name in told}
        chosen = told.pop("pooling_mode", None) or [
            mode for name, mode in _OLD_MODES.items() if old.get(name)
        ]
        modes = (chosen,) if isinstance(chosen, str) else tuple(chosen) or ("mean",)
        if unknown := [mode for mode in modes if mode not in MODES]:
            raise self._refused(f"{path}/config.json", f"pools by {unknown[0]!r}")
        pools_prompt = bool(told.pop("include_prompt", True))
        self._done(f"{path}/config.json", told, {"word_embedding_dimension", "embedding_dimension"})
        return modes, pools_prompt

    def _layer(self, kind: str, path: str) -> Layer | None:
        """One of the last steps; None where it changes nothing."""
        if kind == "Dropout":  # for training only
            return None
        told = self._config(path, needed=kind != "Normalize")
        file = f"{path}/config.json"
        for name in ("module_input_name", "module_output_name"):
            if told.pop(name, None) not in (None, _VECTOR):
                raise self._refused(file, f"changes something else than the {_VECTOR}")
        if kind == "Normalize":
            self._done(file, told)
            return Normalize()
        if kind != "Dense":
            raise self._refused("modules.json", f"has a step of the kind {kind}")
        activation = told.pop("activation_function", "torch.nn.modules.activation.Tanh")
        name = str(activation).rpartition(".")[2]
        if not str(activation).startswith("torch.nn.") or name not in ACTIVATIONS:
            raise self._refused(file, f"has the activation function {activation!r}")
        residual = bool(told.pop("use_residual", False))
        self._done(file, told, {"in_features", "out_features", "bias"})
        weights = self._weights(path)
        try:
            return Dense(
                weights["linear.weight"].float(),
                bias.float() if (bias := weights.get("linear.bias")) is not None else None,
                ACTIVATIONS[name],
                residual=residual,
                projection=weights.get("residual.weight"),
            )
        except KeyError as error:
            raise self._refused(path, f"lacks the weights {error}") from error

    def _weights(self, path: str) -> dict[str, torch.Tensor]:
        if file := self._file(path, "model.safetensors"):
            return dict(load_file(file))
        if file := self._file(path, "pytorch_model.bin"):
            return dict(torch.load(file, map_location="cpu", weights_only=True))
        raise self._refused(path, "has no weights")

    def _transformer(self, path: str) -> dict[str, Any]:
        """What is said of the transformer: `max_seq_length` and `do_lower_case`."""
        for name in _TRANSFORMER_CONFIGS:
            if (told := self._json(path, name, dict)) is not None:
                break
        else:
            return {}
        kept = {key: told.pop(key, None) for key in ("max_seq_length", "do_lower_case")}
        if told.pop("transformer_task", "feature-extraction") != "feature-extraction":
            raise self._refused(name, "says that the transformer does another task")
        read = (told.pop("modality_config", None) or {}).get("text", _READ_TEXT)
        if read != _READ_TEXT:
            raise self._refused(name, f"reads texts by {read!r}")
        if told.pop("module_output_name", "token_embeddings") != "token_embeddings":
            raise self._refused(name, "says that the transformer has no vectors of tokens")
        told.pop("unpad_inputs", None)  # how fast, not what
        self._done(name, told)
        return kept

    def _prompts(self) -> tuple[dict[str, str], str]:
        """All prompts, and the one for texts that have no part of their own."""
        name = "config_sentence_transformers.json"
        told = self._json("", name, dict) or {}
        if (kind := told.get("model_type", "SentenceTransformer")) != "SentenceTransformer":
            raise self._refused(name, f"says that this is a {kind}")
        prompts = {key: text for key, text in (told.get("prompts") or {}).items() if text}
        default = told.get("default_prompt_name")
        if default is not None and default not in (told.get("prompts") or {}):
            raise self._refused(name, f"has the default prompt {default!r}, which is none")
        return prompts, prompts.get(default, "")

    def _config(self, path: str, *, needed: bool = True) -> dict[str, Any]:
        told = self._json(path, "config.json", dict)
        if told is None and needed:
            raise self._refused("modules.json", f"has a step in {path!r}, where no config.json is")
        return told or {}

    def _done(self, file: str, told: Mapping[str, Any], known: set[str] | None = None) -> None:
        """Refuses what is left of a configuration, unless it says nothing."""
        for name, value in told.items():
            if value and name not in (known or ()):
                raise self._refused(file, f"says {name} = {value!r}")

    def _json(self, path: str, name: str, kind: type[Any]) -> Any:
        """What a file holds; None where there is none."""
        file = self._file(path, name)
        if file is None:
            return None
        try:
            told = json.loads(file.read_text(encoding="utf-8"))
        except ValueError as error:
            raise self._refused(str(PurePosixPath(path, name)), f"is not JSON ({error})") from error
        if not isinstance(told, kind):
            raise self._refused(str(PurePosixPath(path, name)), "has another form")
        return told

    def _file(self, path: str, name: str) -> Path | None:
        """Where the file lies on this machine; fetched from the hub if need be."""
        if Path(self._place).is_absolute():
            local = Path(self._place, path, name)
            return local if local.exists() else None
        found = cached_file(
            self._place,
            name,
            revision=self._entry.revision,
            subfolder=path,
            _raise_exceptions_for_missing_entries=False,
            _raise_exceptions_for_connection_errors=False,
            _raise_exceptions_for_gated_repo=False,
        )
        return None if found is None else Path(found)

    def _refused(self, file: str, what: str) -> UnusableModelError:
        return UnusableModelError(
            f"{self._entry.model!r}: {file} {what}; that is not understood here"
        )
