"""Options of the programs, made from the table of settings."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

import click

from doneyet.command.running import NAMES, UsageFault, run
from doneyet.setting_values import SettingError, env_name, flag_name
from doneyet.settings import HTTP_SERVER, QUEUE_MODES, URL_FLAGS, WORKER, Settings

Given = dict[str, str]
"""What flags say, by setting; of several flags for one setting the last."""


def settings_command(
    name: str,
    programs: Collection[str],
    use: Callable[[Settings], Any],
    text: str,
    environ: Mapping[str, str] | None = None,
) -> click.Command:
    """A command whose options are the settings of `programs`; calls `use` with what they say."""

    @click.pass_context
    def callback(context: click.Context) -> Any:
        try:
            settings = Settings.from_flags(given(context), environ)
        except SettingError as error:
            raise UsageFault(str(error)) from error
        return use(settings)

    return click.Command(
        name,
        params=[*setting_options(programs)],
        callback=callback,
        help=text,
        context_settings=dict(NAMES),
    )


def settings_from(
    program: str, argv: Sequence[str], environ: Mapping[str, str] | None = None
) -> Settings:
    """The settings that `argv` and the environment give to `program`; exits with 2 on junk."""
    found: list[Settings] = []
    command = settings_command(program, (program,), found.append, "", environ)
    code = run(command, argv, program)
    if not found:
        raise SystemExit(code)
    return found[0]


def given(context: click.Context) -> Given:
    """What the flags of a command said."""
    found: Given = context.meta.setdefault("doneyet.given", {})
    return found


def setting_options(
    programs: Collection[str], leave_out: Collection[str] = ()
) -> list[click.Option]:
    """One option per setting of `programs`, one per queue mode, and the seeds' names for some."""
    options = [
        _option(
            row.name,
            flag_name(row.name),
            f"{row.metadata['help']} [{env_name(row.name)}{_unit(row)}; default {_default(row)}]",
            metavar=str(row.type).upper(),
        )
        for row in dataclasses.fields(Settings)
        if {*row.metadata["programs"]} & {*programs} and row.name not in leave_out
    ]
    options += [
        _option("queue_mode", f"--{mode}", f"same as --queue-mode {mode}", value=mode)
        for mode in QUEUE_MODES[1:]
        if mode != "synchronous" or HTTP_SERVER in programs  # its worker is the server's thread
    ]
    older = [*URL_FLAGS, "input_db"]
    options += [
        _option(
            name,
            "--input-cache-db" if name == "input_db" else flag_name(name),
            f"older name: {'--input-db' if name == 'input_db' else f'{part} in --redis-url'}",
        )
        for name in older
        for part in (URL_FLAGS.get(name, ""),)
    ]
    if WORKER in programs:
        options.append(_option("lock", "--distributed-lock", "older name: --lock"))
    return options


def _option(name: str, flag: str, text: str, *, metavar: str = "TEXT", value: str = "") -> Any:
    """An option that notes what it is given; a flag without a value where it means `value`."""

    def note(context: click.Context, _: click.Parameter, got: Any) -> None:
        if got:
            said = value or got
            if name == "queue_mode" and given(context).setdefault(name, said) != said:
                other = given(context)[name]
                raise UsageFault(f"choose one queue mode: {other} and {said} are both given")
            given(context)[name] = said
        elif got == "":
            given(context)[name] = ""

    shape: dict[str, Any] = {"is_flag": True} if value else {"metavar": metavar, "default": None}
    return click.Option([flag], help=text, callback=note, expose_value=False, **shape)


def _unit(row: dataclasses.Field[Any]) -> str:
    return f", {row.metadata['unit']}" if row.metadata["unit"] else ""


def _default(row: dataclasses.Field[Any]) -> str:
    return repr(row.default) if row.default == "" else str(row.default)
