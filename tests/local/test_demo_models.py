"""`make demo-models`: every endpoint gives a sensible answer, with nothing but this machine."""

from __future__ import annotations

import subprocess
import sys

import pytest

from doneyet.local.demo_models import PAGE
from tests.containers.compose import ROOT


@pytest.mark.timeout(180)
def test_every_endpoint_answers_sensibly() -> None:
    """What a person sees: paraphrases are alike, facts are in the right sentence."""
    ran = subprocess.run(
        [sys.executable, "-m", "doneyet.local", "demo-models"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=170,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    shown = " ".join(ran.stdout.split())
    parts = dict(part.split(": ", 1) for part in shown.split("POST ")[1:])
    ship, cake = (float(told.split()[0]) for told in parts["/embed"].split("alike by ")[1:])
    assert ship > 0.5 > cake
    summary = parts["/summarize_text"]
    assert "lighthouse" in summary
    assert "umbrellas" not in summary
    assert len(summary) < len(PAGE) / 2
    answers = parts["/ask_question"]
    assert answers.index("who".title()) < answers.index("Ada Moreau")
    assert answers.index("How many steps") < answers.index("212 steps")
    assert answers.index("How often") < answers.index("second Tuesday")
    assert "'I like you.' positive" in parts["/sentiment"]
    assert "money.' negative" in parts["/sentiment"]
    assert "France is [MASK]. paris" in parts["/fill_mask"]
    assert "R^2 0.99" in parts["/fit, /predict, /score"]
    assert "2 of 2" in parts["/summarize_batch, /batch"]
    assert "20 of 20" in parts["/summarize_batch, /batch"]
    assert "29! + 1 = 14557^1 218568437^1 2778942057555023489^1" in shown
