"""A GPU that fails for good ends the process that uses it. Simulated, since it takes one."""

from __future__ import annotations

import json
import os
from typing import Any

import pytest
import torch

from doneyet.task_types.models.engines.runtime import device
from doneyet.task_types.run_batch import run_batch
from tests.models.conftest import MakeModel
from tests.models.runtime.test_batching import pretrained_of

ASSERTION = RuntimeError("CUDA error: device-side assert triggered\nCompile with ...")


@pytest.fixture
def exits(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """What the process would have ended with; there is a GPU, and it is in order."""
    ended: list[int] = []
    monkeypatch.setattr(os, "_exit", ended.append)
    monkeypatch.setattr(torch.cuda, "is_initialized", lambda: True)
    monkeypatch.setattr(torch.cuda, "synchronize", lambda: None)
    return ended


def failing(make_model: MakeModel, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What is answered by a model whose computation fails."""
    model = make_model("embedding", "encoder")

    def fail(**_: Any) -> Any:
        raise RuntimeError(str(ASSERTION))

    monkeypatch.setattr(pretrained_of(model).model, "forward", fail)
    (answer,) = run_batch(model, [model.canonical(model.Input(text="cat"))])
    return dict(json.loads(answer.body))


def test_a_lost_device_ends_the_process(
    make_model: MakeModel,
    monkeypatch: pytest.MonkeyPatch,
    exits: list[int],
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Each later call fails there, too; a new process begins anew."""

    def lost() -> None:
        raise RuntimeError(str(ASSERTION))

    monkeypatch.setattr(torch.cuda, "synchronize", lost)
    failing(make_model, monkeypatch)
    assert exits == [device.EXIT_DEVICE_LOST]
    assert "ends: CUDA error: device-side assert triggered\n" in caplog.text


def test_an_error_that_the_device_survives_ends_nothing(
    make_model: MakeModel, monkeypatch: pytest.MonkeyPatch, exits: list[int]
) -> None:
    """The input fails, and no more."""
    assert "device-side" in failing(make_model, monkeypatch)["error"]["detail"]
    assert exits == []


def test_exhausted_memory_is_no_loss(
    make_model: MakeModel, monkeypatch: pytest.MonkeyPatch, exits: list[int]
) -> None:
    """It is free again."""

    def exhausted() -> None:
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(torch.cuda, "synchronize", exhausted)
    failing(make_model, monkeypatch)
    assert exits == []
