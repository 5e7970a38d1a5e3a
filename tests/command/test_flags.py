"""Options made from the table of settings, and what a command line names to be served."""

from __future__ import annotations

import dataclasses

import pytest

from doneyet.command.running import UsageFault
from doneyet.command.serving import name_served, serve
from doneyet.command.setting_options import settings_from
from doneyet.setting_values import flag_name
from doneyet.settings import Settings


def test_the_last_flag_wins() -> None:
    """As at the end of a command that somebody else wrote."""
    argv = ["--log-level", "debug", "--log-level", "error"]
    assert settings_from("worker", argv, {}).log_level == "error"
    for flags in (["--lock", "--distributed-lock"], ["--distributed-lock", "--lock"]):
        argv = [flags[0], "first", flags[1], "last"]
        assert settings_from("worker", argv, {}).lock == "last"


def test_one_queue_mode_is_chosen(capsys: pytest.CaptureFixture[str]) -> None:
    """Two that contradict each other are refused: whoever wrote both wants something else."""
    argv = ["--queue-mode", "ordered", "--ordered"]
    assert settings_from("worker", argv, {}).queue_mode == "ordered"
    for argv in (["--ordered", "--distributed"], ["--queue-mode", "random", "--rq"]):
        with pytest.raises(SystemExit) as refused:
            settings_from("worker", argv, {})
        assert refused.value.code == 2
    assert capsys.readouterr().err.splitlines()[0] == (
        "Error: choose one queue mode: ordered and distributed are both given"
    )


def test_serve_has_every_setting_but_the_address() -> None:
    """It listens on loopback."""
    flags = {flag for option in serve.params for flag in option.opts}
    names = {row.name for row in dataclasses.fields(Settings)} - {"host"}
    assert {flag_name(name) for name in names} <= flags
    assert "--host" not in flags


@pytest.mark.parametrize(
    ("files", "flags", "named"),
    [
        (["iris.py"], {}, {"tasks": "iris.py"}),
        (["iris.py", "models.toml"], {}, {"tasks": "iris.py", "models": "models.toml"}),
        (["iris.py", "regression"], {"tasks": "a"}, {"tasks": "a,iris.py,regression"}),
        ([], {"models": "m.toml"}, {"models": "m.toml"}),
        ([], {}, {}),
    ],
)
def test_files_are_what_is_served(
    files: list[str], flags: dict[str, str], named: dict[str, str]
) -> None:
    """Beside what `--tasks` names; a TOML file is a models table."""
    name_served(flags, files)
    assert flags == named


def test_two_models_tables_are_refused() -> None:
    """Both are named."""
    with pytest.raises(UsageFault, match=r"one models table .* a\.toml and b\.toml"):
        name_served({}, ["a.toml", "b.toml"])
