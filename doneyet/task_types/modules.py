"""Importing what `--tasks` names: built-in types, installed ones, modules, and files."""

from __future__ import annotations

import hashlib
import importlib
import sys
import traceback
from collections.abc import Mapping
from importlib.metadata import EntryPoint
from importlib.util import find_spec, module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

BUILT_IN = {
    "factorization": "doneyet.task_types.factorization",
    "regression": "doneyet.task_types.regression.regression",
    "batch": "doneyet.task_types.batch.batch",
}
"""The names that `--tasks` has for what comes with doneyet."""

DISTRIBUTIONS = {
    "PIL": "pillow",
    "cv2": "opencv-python",
    "flint": "python-flint",
    "skimage": "scikit-image",
    "sklearn": "scikit-learn",
    "yaml": "pyyaml",
}
"""Packages that pip knows by another name than Python does."""


class TaskTypeError(Exception):
    """Raised when a task type, or a module that should hold some, cannot be used; says why."""


def import_tasks(name: str, installed: Mapping[str, EntryPoint]) -> ModuleType:
    """The module that `name` means; files are searched from the current directory.

    Raises:
        TaskTypeError: it cannot be imported; says where and why in one line.
    """
    search_last(Path.cwd())
    try:
        if name.endswith(".py"):
            return _import_file(Path(name).expanduser().resolve())
        if name in installed:
            module: ModuleType = installed[name].load()
            return module
        return importlib.import_module(BUILT_IN.get(name, name))
    except (Exception, SystemExit) as error:
        why = place_and_reason(error, besides=name)
        raise TaskTypeError(f"the task module {name!r} cannot be imported: {why}") from error


def place_and_reason(error: BaseException, besides: str = "") -> str:
    """`iris.py:3: ValueError: no`, and what to install where a package is missing; one line."""
    return f"{_place(error)}{_reason(error)}{how_to_install(error, besides)}"


def search_last(folder: Path) -> None:
    """Puts `folder` at the end of the path, where it stands in nobody's place."""
    if str(folder) not in sys.path:
        sys.path.append(str(folder))


def how_to_install(error: BaseException, besides: str = "") -> str:
    """`; pip install pillow` where a package is missing, other than the module `besides`."""
    if not isinstance(error, ModuleNotFoundError) or not error.name or error.name == besides:
        return ""
    package = error.name.partition(".")[0]
    if package in sys.modules or package in sys.stdlib_module_names:
        return ""  # only a part of it is missing
    return f"; pip install {DISTRIBUTIONS.get(package, package)}"


def _import_file(path: Path) -> ModuleType:
    """The module in `path`, under its stem; under a longer name where the stem is another's."""
    if not path.is_file():
        raise FileNotFoundError(f"there is no file {path}")
    search_last(path.parent)
    if "." not in path.stem and _origin(path.stem) == str(path):
        return importlib.import_module(path.stem)
    name = f"{path.stem}_{hashlib.sha1(bytes(path), usedforsecurity=False).hexdigest()[:8]}"
    if name in sys.modules:
        return sys.modules[name]
    spec = spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules[name] = module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


def _origin(name: str) -> str | None:
    """The file that `import name` takes."""
    if (module := sys.modules.get(name)) is not None:
        return getattr(module, "__file__", None)
    spec = find_spec(name)
    return spec.origin if spec is not None else None


def _place(error: BaseException) -> str:
    """`iris.py:3: `: the last line outside of Python's and doneyet's own files that led there."""
    if isinstance(error, SyntaxError) and error.filename:
        return f"{_shown(error.filename)}:{error.lineno}: "
    ours = str(Path(__file__).parents[1])
    frames = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if not frame.filename.startswith((ours, "<frozen "))
        and "importlib" not in Path(frame.filename).parts
    ]
    own = [frame for frame in frames if "site-packages" not in frame.filename]
    return f"{_shown(own[-1].filename)}:{own[-1].lineno}: " if own else ""


def _reason(error: BaseException) -> str:
    if isinstance(error, SyntaxError):
        return f"SyntaxError: {error.msg}"
    text = " ".join(str(error).split())
    return (
        text
        if isinstance(error, ImportError | FileNotFoundError)
        else (f"{type(error).__name__}: {text}")
    )


def _shown(filename: str) -> str:
    """Relative to the current directory where it lies in it."""
    path = Path(filename)
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else filename
