"""`doneyet deletion-cost`: says at each pod of Kubernetes how many tasks it runs."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING

import click

from autoscaler.hosts import running_by_host
from doneyet.command.client_command import EVERY, OK, ONCE, client_command

if TYPE_CHECKING:
    from autoscaler.pods import Pods
    from doneyet.client import Client


@client_command(
    """Says at each worker's pod how many tasks it runs, so that idle pods go first.

Runs in a pod itself, whose service account may list and patch pods. Where Kubernetes is to have
fewer pods of a Deployment it deletes those of the lowest cost: the annotation that this keeps. Runs
until it is ended; while nobody can tell what runs, nothing changes."""
)
@click.option("--selector", required=True, help="which pods, as `kubectl get pods -l` takes it")
@EVERY
@ONCE
def deletion_cost(client: Client, *, selector: str, every_s: float, once: bool) -> int:
    from autoscaler.pods import Pods, PodsError

    try:
        pods = Pods(selector)
    except PodsError as error:
        raise click.UsageError(str(error)) from error
    client.patience_s = min(client.patience_s, every_s)
    said = ""
    while True:
        trouble = _look(client, pods)
        if trouble and trouble != said:
            sys.stderr.write(f"{trouble}; trying again\n")
        said = trouble
        if once:
            return OK
        time.sleep(every_s)


def _look(client: Client, pods: Pods) -> str:
    """Tells what has changed; what went wrong, if anything did."""
    from autoscaler.pods import PodsError, update_costs
    from doneyet.client.errors import UnavailableError, UnexpectedAnswerError

    try:
        if away := client.load().get("unavailable"):
            return f"what pods run of {', '.join(away)} is not known now"
        for name, cost in update_costs(pods, running_by_host(client.workers())):
            click.echo(f"{name}: {cost} running")
    except (PodsError, UnavailableError, UnexpectedAnswerError) as error:
        return str(error)
    return ""
