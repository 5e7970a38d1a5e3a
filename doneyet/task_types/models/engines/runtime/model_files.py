"""Where a model's files are, whether this process can use them, and what to do if it cannot."""

from __future__ import annotations

import contextlib
import importlib.resources
from collections.abc import Iterator
from pathlib import Path

import safetensors
import torch

from doneyet.task_types.file_permissions import why_unreadable
from doneyet.task_types.models.model_type import ModelEntry

_PATH_STARTS = ("/", "./", "../", "~")
_PACKAGE = "package:"
_READ = frozenset({".json", ".safetensors", ".bin", ".txt", ".model", ".jinja"})
"""What the files are called that a model is made of."""


class ModelNotFoundError(Exception):
    """Raised when a model's files are not where the models table says; says what to do."""


class UnusableModelError(Exception):
    """Raised when a model's files are there and cannot be used; says which, and what to do."""


def place_of(entry: ModelEntry) -> str:
    """Where transformers finds the entry's model: a folder's path, or a hub id.

    Raises:
        ModelNotFoundError: a package that is not installed, or a folder that is not there.
        UnusableModelError: a folder that this process may not read.
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
    if said := why_unreadable(path):
        raise UnusableModelError(f"{name!r}: {said}")
    if not path.is_dir():
        raise ModelNotFoundError(f"{name!r}: there is no folder {str(path)!r}")
    return str(path)


def check_files(entry: ModelEntry, folder: Path) -> None:
    """Looks at the files of a model's folder before anything is made of them.

    What it cannot read transformers may leave out without a word: the tokenizer's words, or how
    texts are generated.

    Raises:
        UnusableModelError: names the first that this process may not read, that is no file, or
            whose weights end too early.
    """
    if said := why_unreadable(folder):
        raise UnusableModelError(f"{entry.model!r}: {said}")
    for path in sorted(folder.iterdir()):
        if path.suffix not in _READ:
            continue
        if said := why_unreadable(path):
            raise UnusableModelError(f"{entry.model!r}: {said}")
        if not path.exists():
            lost = path.readlink()
            raise UnusableModelError(
                f"{entry.model!r}: {path.name!r} is a link to nothing ({lost})"
            )
        if not path.is_file():
            raise UnusableModelError(
                f"{entry.model!r}: {path.name!r} should be a file, and is none"
            )
        if path.suffix == ".safetensors":
            _check_weights(entry, path)


def _check_weights(entry: ModelEntry, path: Path) -> None:
    """Looks at the head of a file of weights, which tells its size."""
    try:
        with safetensors.safe_open(path, framework="pt"):
            return
    except safetensors.SafetensorError as error:
        raise UnusableModelError(
            f"{entry.model!r}: {path.name!r} is damaged, or was not copied to its end ({error})"
        ) from error


@contextlib.contextmanager
def explained(entry: ModelEntry, place: str) -> Iterator[None]:
    """Whatever transformers stumbles over while it reads a model becomes one line.

    Raises:
        ModelNotFoundError: there are no such files here, and the hub does not have or give them.
        UnusableModelError: there are, and no model can be made of them.
        torch.OutOfMemoryError, MemoryError: the memory does not suffice.
    """
    try:
        yield
    except (ModelNotFoundError, UnusableModelError, torch.OutOfMemoryError, MemoryError):
        raise
    except OSError as error:
        raise _not_found(entry, place, error) from error
    except Exception as error:
        if type(error).__name__ == "UnpicklingError" or "weights_only" in str(error):
            raise UnusableModelError(
                f"{entry.model!r} has weights in a pickle that holds other things, too, or is "
                "damaged; such files may run anything, and are not loaded: save the model as "
                "safetensors"
            ) from error
        if "trust_remote_code" in str(error):
            raise UnusableModelError(
                f"{entry.model!r} needs code that comes with it, which is never run here: choose a "
                "model of an architecture that transformers has"
            ) from error
        raise UnusableModelError(
            f"{entry.model!r} cannot be used: {type(error).__name__}: {_first_line(error)}"
        ) from error


def _not_found(entry: ModelEntry, place: str, error: OSError) -> ModelNotFoundError:
    """Says what to do, and the first line of what transformers says."""
    first = _first_line(error)
    if Path(place).is_absolute():
        return ModelNotFoundError(f"{entry.model!r} is not a complete model: {first}")
    hint = ""
    if (entry.folder / place).is_dir():
        hint = f"; for the folder beside the models table write './{place}'"
    return ModelNotFoundError(
        f"{entry.model!r} is not here and cannot be fetched; check its name in the models table, "
        f"or that the model hub can be reached{hint} ({first})"
    )


def _first_line(error: Exception) -> str:
    return str(error).strip().split("\n", 1)[0]
