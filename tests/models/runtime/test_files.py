"""Model files that cannot be used: one line says which, who may not read it, and what to do."""

from __future__ import annotations

import json
import os
import pickle
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch
import transformers

from doneyet.settings import Settings
from doneyet.task_types.file_permissions import why_unreadable
from doneyet.task_types.loading import NotLoadedError, load
from doneyet.task_types.models.model_type import ModelEntry
from doneyet.task_types.models.models_table import TASKS
from tests.models import tiny

ROOT = Path(__file__).parents[3]
OWNER = os.geteuid()
NOBODY = 65534 if OWNER == 0 else OWNER
"""Whose rights are tried; who is not root cannot become another user, and shuts itself out."""

OWNER = os.geteuid()
NOBODY = 65534 if OWNER == 0 else OWNER
"""Whose rights are tried; who is not root cannot become another user, and shuts itself out."""

CLOSED = {
    "model/model.safetensors": (0o600, "chmod a+r it"),
    "model/tokenizer.json": (0o600, "chmod a+r it"),
    "model/1_Pooling/config.json": (0o600, "chmod a+r it"),
    "model/1_Pooling": (0o700, "chmod a+rx it"),
    "model": (0o700, "chmod a+rx it"),
    "models.toml": (0o600, "chmod a+r it"),
    "": (0o700, "chmod a+x it"),
}

LOAD = """
import json, os, sys
from doneyet.settings import Settings
from doneyet.task_types.loading import NotLoadedError, load
from doneyet.task_types.models.models_table import task_types
from doneyet.task_types import TaskTypeError

folder, owner, user = sys.argv[1], os.geteuid(), int(sys.argv[2])

def loaded():
    (kind,) = task_types(Settings(models=folder + "/models.toml"))
    load(kind)

loaded()  # imports all that it takes, which another user might not be able to read
for path, mode in json.loads(sys.argv[3]):
    before = os.stat(os.path.join(folder, path)).st_mode
    os.chmod(os.path.join(folder, path), mode)
    if os.fork() == 0:
        if owner != user:
            os.setgroups([])
            os.setgid(user)
            os.setuid(user)
        try:
            loaded()
            print(json.dumps([path, "loaded"]), flush=True)
        except (NotLoadedError, TaskTypeError) as error:
            print(json.dumps([path, str(error)]), flush=True)
        os._exit(0)
    os.wait()
    os.chmod(os.path.join(folder, path), before)
"""


@pytest.fixture(scope="module")
def shared() -> Iterator[Path]:
    """A models table, and beside it a model, that anybody may read; pytest's own folders are for
    their user only."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        tiny.sentence_model(folder / "model", {"pooling_mode_cls_token": True})
        (folder / "models.toml").write_text('[embedding.mine]\nmodel = "./model"\nthreads = 1\n')
        for path in (folder, *folder.rglob("*")):
            path.chmod(0o755 if path.is_dir() else 0o644)
        yield folder


@pytest.fixture(scope="module")
def told(shared: Path) -> dict[str, str]:
    """What another user is told who loads the model, by the path that is closed to it.

    One process for all of them, since each would import torch.
    """
    modes = [(path, mode if OWNER == 0 else 0) for path, (mode, _) in CLOSED.items()]
    ran = subprocess.run(
        [sys.executable, "-c", LOAD, shared, str(NOBODY), json.dumps([*modes, (".", 0o755)])],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    return dict(map(json.loads, ran.stdout.splitlines()))


@pytest.mark.parametrize("closed", CLOSED)
def test_it_is_told_who_may_not_read_what(shared: Path, told: dict[str, str], closed: str) -> None:
    """As in a container, whose user is another one than who saved the model."""
    mode, helps = CLOSED[closed]
    mode = mode if OWNER == 0 else 0
    said = told[closed]
    assert "\n" not in said
    assert f"this process (user id {NOBODY}) may not read {str(shared / closed)!r}" in said
    assert f"(mode {mode:04o}, of user id {OWNER}): {helps}" in said
    if closed.startswith("model/"):
        assert said.startswith("task type embedding/mine cannot be loaded: ")


def test_who_may_read_all_can_load_it(told: dict[str, str]) -> None:
    """The same user, with nothing in the way."""
    assert told["."] == "loaded"


def test_what_may_be_read(tmp_path: Path) -> None:
    """Is none of it, nor what is not there."""
    assert why_unreadable(tmp_path) is None
    assert why_unreadable(tmp_path / "nothing" / "here") is None


def why_not(folder: Path, task: str = "embedding") -> str:
    """What is said of a model that cannot be loaded."""
    with pytest.raises(NotLoadedError) as caught:
        load(TASKS[task]("x", ModelEntry(model=str(folder), threads=1)))
    said = str(caught.value)
    assert said.startswith(f"task type {task}/x cannot be loaded: ")
    assert "\n" not in said
    return said


def cut_short(folder: Path) -> None:
    """As a copy that was interrupted."""
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-100])


def emptied(folder: Path) -> None:
    """As a full disk leaves it."""
    (folder / "model.safetensors").write_bytes(b"")


def in_the_place_of(name: str) -> Callable[[Path], None]:
    """A folder called as a file should be."""

    def change(folder: Path) -> None:
        (folder / name).unlink()
        (folder / name).mkdir()

    return change


def without(*names: str) -> Callable[[Path], None]:
    """Some files are not there."""

    def change(folder: Path) -> None:
        for name in names:
            (folder / name).unlink()

    return change


def link_to_nothing(folder: Path) -> None:
    """As in a cache of which a part was copied."""
    (folder / "model.safetensors").unlink()
    (folder / "model.safetensors").symlink_to("../blobs/0123")


def said_in(name: str, **config: Any) -> Callable[[Path], None]:
    """Something else in a JSON file."""

    def change(folder: Path) -> None:
        path = folder / name
        path.write_text(json.dumps({**json.loads(path.read_text()), **config}))

    return change


def text_in(name: str, text: str) -> Callable[[Path], None]:
    """Something else in the place of a file."""

    def change(folder: Path) -> None:
        (folder / name).write_text(text)

    return change


class _Runs:
    """What unpickles as the making of a folder."""

    def __init__(self, path: Path) -> None:
        self._path = str(path)

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (self._path,)


def as_pickle(folder: Path) -> None:
    """Weights in the old form, and something that is none."""
    weights = safetensors.torch.load_file(folder / "model.safetensors")
    (folder / "model.safetensors").unlink()
    torch.save({**weights, "other": _Runs(folder / "was-run")}, folder / "pytorch_model.bin")


def as_bare_pickle(folder: Path) -> None:
    """No archive of torch's at all."""
    (folder / "model.safetensors").unlink()
    (folder / "pytorch_model.bin").write_bytes(pickle.dumps(_Runs(folder / "was-run")))


DAMAGES: dict[str, tuple[Callable[[Path], None], str]] = {
    "weights cut short": (
        cut_short,
        "'model.safetensors' is damaged, or was not copied to its end",
    ),
    "weights empty": (emptied, "'model.safetensors' is damaged, or was not copied to its end"),
    "a folder as weights": (
        *(
            in_the_place_of("model.safetensors"),
            "'model.safetensors' should be a file, and is none",
        ),
    ),
    "a folder as configuration": (
        *(in_the_place_of("config.json"), "'config.json' should be a file, and is none"),
    ),
    "no weights": (without("model.safetensors"), "is not a complete model"),
    "no configuration": (without("config.json"), "Unrecognized model"),
    "a link to nothing": (link_to_nothing, "'model.safetensors' is a link to nothing (../blobs"),
    "no tokenizer": (without("tokenizer.json", "tokenizer_config.json"), "has no tokenizer: its"),
    "half a tokenizer": (without("tokenizer.json"), "has no tokenizer: its files"),
    "a tokenizer cut short": (text_in("tokenizer.json", '{"version": '), "cannot be used: JSONDec"),
    "a configuration cut short": (text_in("config.json", "{"), "is not a complete model: "),
    "a list as configuration": (text_in("config.json", "[]"), "cannot be used: "),
    "an unknown architecture": (said_in("config.json", model_type="brain"), "model type `brain`"),
    "code of its own": (
        said_in("config.json", model_type="brain", auto_map={"AutoConfig": "mine.Config"}),
        "needs code that comes with it, which is never run here",
    ),
    "weights of another size": (
        said_in("config.json", intermediate_size=16),
        "has weights of another size than its configuration says: encoder.layer.0",
    ),
    "a pickle that runs something": (as_pickle, "weights in a pickle that holds other things, too"),
    "a bare pickle": (as_bare_pickle, "weights in a pickle that holds other things, too"),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_damaged_files_are_told_at_load(tmp_path: Path, damage: str) -> None:
    """And nothing in them is run."""
    folder = tiny.bert(tmp_path / "model", transformers.AutoModel)
    change, expected = DAMAGES[damage]
    change(folder)
    assert expected in why_not(folder)
    assert not (folder / "was-run").exists()


def test_weights_in_a_pickle_of_nothing_else_are_loaded(tmp_path: Path) -> None:
    """As older models have them."""
    folder = tiny.bert(tmp_path / "model", transformers.AutoModel)
    weights = safetensors.torch.load_file(folder / "model.safetensors")
    torch.save(weights, folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()
    load(TASKS["embedding"]("x", ModelEntry(model=str(folder), threads=1)))


def test_a_classifier_without_its_pooler_is_refused(tmp_path: Path) -> None:
    """BERT's labels are read from it; only sentence vectors do without."""
    folder = tiny.bert(tmp_path / "model", transformers.AutoModelForSequenceClassification)
    path = folder / "model.safetensors"
    weights = safetensors.torch.load_file(path)
    kept = {name: weights[name] for name in weights if "pooler" not in name}
    safetensors.torch.save_file(kept, path, metadata={"format": "pt"})
    assert "lacks the weights bert.pooler" in why_not(folder, "text-classification")
    bare = tiny.bert(tmp_path / "bare", transformers.AutoModel)
    weights = safetensors.torch.load_file(bare / "model.safetensors")
    kept = {name: weights[name] for name in weights if "pooler" not in name}
    safetensors.torch.save_file(kept, bare / "model.safetensors", metadata={"format": "pt"})
    load(TASKS["embedding"]("x", ModelEntry(model=str(bare), threads=1)))


def test_files_that_are_no_part_of_the_model_may_be_anything(tmp_path: Path) -> None:
    """A folder with notes, a checkpoint of the training."""
    folder = tiny.bert(tmp_path / "model", transformers.AutoModel)
    (folder / "optimizer.pt").symlink_to("nowhere")
    (folder / "runs").mkdir()
    shutil.copy(folder / "config.json", folder / "runs")
    load(TASKS["embedding"]("x", ModelEntry(model=str(folder), threads=1)))


def test_the_table_says_who_may_not_read_it() -> None:
    """Where there is no home, a path that begins with it is told, too."""
    from doneyet.task_types import TaskTypeError
    from doneyet.task_types.models.models_table import task_types

    with pytest.raises(TaskTypeError, match=r"DONEYET_MODELS.* cannot be read"):
        task_types(Settings(models="~no-such-user/models.toml"))
