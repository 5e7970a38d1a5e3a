"""Every key, and nothing else builds one.

All keys of a task type share the hash tag `{type}`, so that in a Redis Cluster a type lives in one
slot. Each version of a type has keys of its own, but for results. All keys have a TTL: those below
"kept" for `KEEP_MS` after the last renewal by a worker, the others as their docstrings say.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field

from task_manager.values import Limits

KEEP_MS = 3_600_000
"""How long records of running tasks outlive the last renewal of any worker, ms."""


@dataclass(frozen=True, slots=True)
class Keys:
    """The keys of one deployment; `prefix` tells it from others on the same Redis.

    `marks` of the versions, by type: tasks of each version wait and run apart, so that no worker
    meets those of another version than its own. Results are named by ids, which differ anyway.
    """

    prefix: str
    marks: Mapping[str, str] = field(default_factory=dict)

    def result(self, type_name: str, task_id: str) -> str:
        """String: times, then the body of a terminal task. TTL: the result or failure ttl."""
        return f"{self.prefix}:{{{type_name}}}:result:{task_id}"

    def traces(self, type_name: str, task_id: str) -> str:
        """Sorted set, where requests are traced: traces of those that submitted a task, by when, s.
        TTL: an hour after the last one."""
        return f"{self.prefix}:{{{type_name}}}:traces:{task_id}"

    def running(self, type_name: str) -> str:
        """Hash: id → "owner kept_until_ms submitted_ms started_ms attempts [turn]". Kept."""
        return f"{_queue(self, type_name)}:running"

    def claims(self, type_name: str, owner: str) -> str:
        """Hash: id → input of the owner's running tasks. Kept."""
        return f"{_queue(self, type_name)}:claims:{owner}"

    def owners(self, type_name: str) -> str:
        """Sorted set: owners by the end of their lease, ms. Kept."""
        return f"{_queue(self, type_name)}:owners"

    def cancelled(self, type_name: str) -> str:
        """Hash: id → owner of cancelled tasks whose process is to be stopped. TTL: a minute."""
        return f"{_queue(self, type_name)}:cancelled"

    def progress(self, type_name: str) -> str:
        """Hash: id → "fraction message" of running tasks. Kept."""
        return f"{_queue(self, type_name)}:progress"

    def tally(self, type_name: str) -> str:
        """Hash: what happened to tasks of all versions, as in `lua/parts/tally.lua`. TTL: 30 days
        after the last time."""
        return f"{self.prefix}:{{{type_name}}}:tally"

    def hours(self, type_name: str) -> str:
        """Hash, where some server keeps hours: what happened in each of them, as in
        `lua/shared/hours.lua`. TTL: 30 days after the last one that was kept."""
        return f"{self.prefix}:{{{type_name}}}:hours"

    def ended_done(self, type_name: str) -> str:
        """List: ids of tasks of all versions that were done, newest first, about a thousand. TTL: a
        week after the last renewal by a worker."""
        return f"{self.prefix}:{{{type_name}}}:ended:done"

    def ended_failed(self, type_name: str) -> str:
        """List: likewise those that failed, each with times and the end of its result, which tells
        the error. TTL: the same."""
        return f"{self.prefix}:{{{type_name}}}:ended:failed"

    def ended_cancelled(self, type_name: str) -> str:
        """List: likewise those that were cancelled, with times. TTL: the same."""
        return f"{self.prefix}:{{{type_name}}}:ended:cancelled"

    def versions(self, type_name: str) -> str:
        """Sorted set: versions that are served or worked for, by when they said so last, ms. TTL:
        a day after the last time."""
        return f"{self.prefix}:{{{type_name}}}:versions"

    def types(self) -> str:
        """Sorted set: types that are served or worked for, by when somebody said so last, ms. TTL:
        a day after the last time."""
        return f"{self.prefix}:types"

    def paused(self, type_name: str) -> str:
        """String: there while no task of the type is to begin, of whatever version. TTL: 30 days
        after the last renewal."""
        return f"{self.prefix}:{{{type_name}}}:paused"

    def kept(self) -> str:
        """Sorted set: entries of kept tasks by when they are looked at next, ms. TTL: a minute
        more than the last of them."""
        return f"{self.prefix}:{{kept}}:due"

    def kept_clients(self) -> str:
        """Hash: entry of a kept task → the client whose it is. TTL: as `due`."""
        return f"{self.prefix}:{{kept}}:clients"

    def kept_counts(self) -> str:
        """Hash: client → how many entries are its own. TTL: as `due`."""
        return f"{self.prefix}:{{kept}}:counts"

    def kept_entry(self, entry: str) -> str:
        """Hash: a task that is kept, its input, who is told of it, and how far that is; or when it
        finished what was told. TTL: a minute more than it is kept; a day at most once all is
        told."""
        return f"{self.prefix}:{{kept}}:entry:{entry}"

    def lock(self, name: str) -> str:
        """String: the owner who has it. TTL: as the owner says."""
        return f"{self.prefix}:lock:{name}"

    def rate(self, client: str) -> str:
        """String: when the requests of a client (its hash) so far would have come, had they come
        evenly, µs. TTL: until then."""
        return f"{self.prefix}:rate:{client}"

    def shared(self, name: str) -> str:
        """String: a small value that servers share: `session-` and a hash, who is logged in to the
        dashboard. TTL: as the server says."""
        return f"{self.prefix}:shared:{name}"

    def probe(self) -> str:
        """String, hash, list and sorted set in turn, within one script. TTL: a minute at most."""
        return f"{self.prefix}:probe"

    def type_probe(self, type_name: str) -> str:
        """String, hash, list and sorted set likewise, in a cluster. TTL: a minute at most."""
        return f"{self.prefix}:{{{type_name}}}:probe"

    def finished(self) -> str:
        """Channel: comma-separated ids of tasks that became terminal or lost their result."""
        return f"{self.prefix}:finished"

    # The random queue mode

    def input(self, task_id: str) -> str:
        """String in the input database: a waiting task. TTL: until it expires."""
        return f"{self.prefix}:input:{task_id}"

    def counts(self, type_name: str) -> str:
        """Hash: waiting tasks, in all and by the second when they expire. TTL: some
        seconds more than theirs."""
        return f"{_queue(self, type_name)}:counts"

    def pool_retry(self) -> str:
        """List: ids of waiting tasks to be claimed alone, first. TTL: until they expire."""
        return f"{self.prefix}:retry"

    def pool_wake(self) -> str:
        """List: one token for each idle worker to wake. TTL: the input ttl."""
        return f"{self.prefix}:wake"

    # The distributed and the ordered queue mode

    def waiting(self, type_name: str) -> str:
        """Sorted set: ids of waiting tasks by expiry, ms. TTL: some
        seconds more than theirs."""
        return f"{_queue(self, type_name)}:waiting"

    def inputs(self, type_name: str) -> str:
        """Hash: id → attempts, time and input of waiting tasks. TTL: like `waiting`."""
        return f"{_queue(self, type_name)}:inputs"

    def retry(self, type_name: str) -> str:
        """List: ids of waiting tasks to be claimed alone, first. TTL: until they expire."""
        return f"{_queue(self, type_name)}:retry"

    def wake(self, type_name: str) -> str:
        """List: one token for each idle worker to wake. TTL: the input ttl."""
        return f"{_queue(self, type_name)}:wake"

    def turns(self, type_name: str) -> str:
        """Sorted set: ids of waiting tasks by turn; by when they came, µs, where the oldest is
        picked. TTL: until they expire."""
        return f"{_queue(self, type_name)}:turns"

    def clients(self, type_name: str) -> str:
        """Sorted set: "priority client" by the turn of its next task, and "priority" by the turn
        that was claimed last. TTL: until the last task expires."""
        return f"{_queue(self, type_name)}:clients"


def version_marks(limits: Mapping[str, Limits]) -> dict[str, str]:
    """8 hex digits for the version of each task type."""
    return {name: version_mark(each.version) for name, each in limits.items()}


def version_mark(version: str) -> str:
    """8 hex digits that stand for a version in keys."""
    return hashlib.blake2b(version.encode(), digest_size=4).hexdigest()


def _queue(keys: Keys, type_name: str) -> str:
    """What the keys of a type's version begin with; its hash tag is that of all its versions."""
    mark = keys.marks.get(type_name)
    return f"{keys.prefix}:{{{type_name}}}" + (f":{mark}" if mark else "")
