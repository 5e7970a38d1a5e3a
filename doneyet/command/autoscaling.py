"""`doneyet autoscale`: as many containers of each model as its load asks for."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import fields
from typing import TYPE_CHECKING, Any

import click

from autoscaler.compose import Compose, ComposeError
from autoscaler.hosts import running_by_host
from autoscaler.policy import Autoscaler, Policy
from autoscaler.scaler import Load, Scaler
from doneyet.command.client_command import EVERY, OK, ONCE, client_command

if TYPE_CHECKING:
    from doneyet.client import Client

_HELP = {
    "min_replicas": "fewest containers of each service",
    "max_replicas": "most containers of each service",
    "init_replicas": "how many to start when there was none",
    "target_in_flight": "waiting and running tasks for each slot of a container",
    "window_s": "seconds over which the number of tasks is averaged",
    "downscale_stabilization_period_s": "seconds: never fewer than the most recommended in them",
    "upscale_stabilization_period_s": "seconds: never more than the fewest recommended in them",
    "max_downscale_factor": "the number is multiplied by this at least, at one time",
    "max_upscale_factor": "the number is multiplied by this at most, at one time",
    "downscale_tolerance": "a recommendation that is lower by less than this part is none",
    "upscale_tolerance": "a recommendation that is higher by less than this part is none",
}


def _policy_options(command: Callable[..., int]) -> Callable[..., int]:
    """An option for each parameter of `Policy`, with its default."""
    for each in reversed(fields(Policy)):
        whole = each.name.endswith("_replicas")
        says = "min-replicas" if each.default is None else each.default
        command = click.option(
            f"--{each.name.replace('_', '-')}",
            type=int if whole else float,
            default=each.default,
            help=f"{_HELP[each.name]} (default {says})",
        )(command)
    return command


def _pairs(
    _context: click.Context, _parameter: click.Parameter, given: Sequence[str]
) -> Sequence[tuple[str, str]]:
    """Each `TYPE=SERVICE` as the two, neither of them empty."""
    pairs = []
    for each in given:
        type_name, _, service = each.partition("=")
        if not (type_name and service):
            raise click.BadParameter(f"{each!r} is not one, as embedding/minilm=embedding would be")
        pairs.append((type_name, service))
    return pairs


@client_command(
    """Starts and stops containers of Docker Compose, as many as their task type's load asks for.

TYPE=SERVICE names a task type, and the Compose service whose workers run it and no other. From none
to one goes at once; the last one stays until nobody has asked for ten minutes. Containers that
start or are idle go first, and all drain: a running task is never killed. Runs until Ctrl-C."""
)
@click.argument("pairs", metavar="TYPE=SERVICE...", callback=_pairs, nargs=-1, required=True)
@click.option(
    "--compose",
    "files",
    metavar="FILE",
    multiple=True,
    default=("docker-compose.yml",),
    help="the Compose file; more than once for several (default docker-compose.yml)",
)
@click.option(
    "--slots",
    type=click.IntRange(min=1),
    default=1,
    help="tasks that one container runs at a time: its batch size times its processes (default 1)",
)
@EVERY
@ONCE
@_policy_options
def autoscale(
    client: Client,
    *,
    pairs: Sequence[tuple[str, str]],
    files: Sequence[str],
    slots: int,
    every_s: float,
    once: bool,
    **parameters: Any,
) -> int:
    policy = Policy(**parameters)
    client.patience_s = min(client.patience_s, every_s)
    compose = Compose(files)
    scalers = {
        type_name: Scaler(service, Autoscaler(policy, slots), compose, _load_of(client, type_name))
        for type_name, service in pairs
    }
    said: dict[str, str] = {}
    try:
        while True:
            for type_name, scaler in scalers.items():
                _look(type_name, scaler, said)
            if once:
                return OK
            time.sleep(every_s)
    finally:
        compose.close()


def _look(type_name: str, scaler: Scaler, said: dict[str, str]) -> None:
    """Tells what has changed, and what went wrong unless that was `said` last."""
    try:
        change = scaler.look(time.monotonic())
    except ComposeError as error:
        if said.get(type_name) != str(error):
            sys.stderr.write(f"{type_name}: {error}; trying again\n")
        said[type_name] = str(error)
        return
    said.pop(type_name, None)
    if change.before != change.after:
        click.echo(f"{type_name}: {change.before} -> {change.after} containers")


def _load_of(client: Client, type_name: str) -> Callable[[], Load | None]:
    from doneyet.client.errors import UnavailableError, UnexpectedAnswerError

    def load() -> Load | None:
        try:
            told = client.load(type_name)
            workers = client.workers()
        except (UnavailableError, UnexpectedAnswerError):
            return None
        if told["paused"]:  # what waits is no work until it is resumed
            return None
        return Load(told["waiting"], told["running"], running_by_host(workers, type_name))

    return load
