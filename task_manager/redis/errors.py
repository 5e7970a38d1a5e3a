"""What each error of Redis, Valkey and redis-py means here: the one place that decides.

`MisconfiguredError`: trying again is of no use until somebody changes something. Everything else
is `UnavailableError`: also an answer that nobody foresaw, since it may be another one tomorrow.

| answer | said when | means |
|---|---|---|
| no connection, no reply in time, `max number of clients reached` | away, hung, full | wait |
| `LOADING`, `BUSY`, `INPROG`, `UNBLOCKED` | it starts, is busy | wait |
| `MASTERDOWN`, `CLUSTERDOWN`, `TRYAGAIN`, `ASK`, `REDIRECT` | it fails over, a slot moves | wait |
| Sentinels tell of no master; no node of a cluster has a slot | it fails over | wait |
| `MISCONF`, `NOREPLICAS`, `OOM`, `READONLY`, `IOERR` | disk, replicas, memory, failover | wait |
| `NOSCRIPT`, `EXECABORT` | our scripts were flushed; a command of several was refused | wait |
| no RESP at all, or another shape than the command has | a proxy between, a fault | wait |
| `NOAUTH`, `WRONGPASS`, AUTH where there is no password | credentials | misconfigured |
| `NOPERM` | an ACL lacks a command, a key pattern or a channel | misconfigured |
| `DENIED` | protected mode | misconfigured |
| `DB index is out of range` | fewer databases than ours | misconfigured |
| `unknown command` | renamed, or no Redis (a Sentinel) | misconfigured |
| `MOVED`, `CROSSSLOT`, `SELECT is not allowed in cluster mode` | a cluster's node | misconfigured |
| `cluster support disabled`, unknown command `SENTINEL` | a Redis by itself | misconfigured |
| `WRONGTYPE` | somebody else's keys under our prefix | misconfigured |
| a TLS certificate that cannot be verified | | misconfigured |
| any other | | wait |
"""

from __future__ import annotations

import re
import ssl

import redis
from redis.exceptions import InvalidResponse, RedisClusterException
from redis.sentinel import MasterNotFoundError

from task_manager.errors import MisconfiguredError, UnavailableError

_URL = "DONEYET_REDIS_URL"
_PASSWORD = (
    f"refuses the user or the password of {_URL}, in which characters such as / # ? @ must be "
    "percent-encoded"
)
_CLUSTER = f"is a node of a Redis Cluster: write {_URL} as redis+cluster://HOST:PORT"

_MISCONFIGURED = (
    (r"\bWRONGPASS\b|invalid username-password|invalid password|\bAUTH\b.*wrong number", _PASSWORD),
    (
        r"\bNOAUTH\b|Authentication required|\bunauthenticated\b",
        f"asks for a password, and {_URL} has none",
    ),
    (
        r"AUTH.*(?:without any password|no password is set)",
        f"has no password for this user, but {_URL} gives one: leave it out",
    ),
    (
        r"\bNOPERM\b|no permissions? |ACL failure|can't run this command or subcommand",
        (
            f"does not permit all that doneyet does; the user of {_URL} needs the ACL rules "
            "+@all -@dangerous, ~PREFIX:* and &PREFIX:* (PREFIX is DONEYET_KEY_PREFIX)"
        ),
    ),
    (
        r"\bDENIED\b",
        "is in protected mode and takes connections of its own machine only: give it a password",
    ),
    (r"\bMOVED\b|\bCROSSSLOT\b|cluster mode", _CLUSTER),
    (
        r"cluster support disabled",
        f"is no node of a Redis Cluster: write {_URL} as redis://HOST:PORT",
    ),
    (
        r"unknown (?:redis )?command.*\bSENTINEL\b",
        f"is no Sentinel: {_URL} is to name the Sentinels, which know where the Redis is",
    ),
    (
        r"DB index is out of range|invalid DB index|Invalid Database",
        (
            f"has no database of that number, which {_URL} names, or in the random queue mode "
            "DONEYET_INPUT_DB: lower it, raise `databases` in Redis' configuration, or use "
            "--distributed, which needs one only"
        ),
    ),
    (
        r"unknown (?:redis )?command",
        (
            f"does not know a command that doneyet needs: it was renamed there, or {_URL} names no "
            "Redis but a Sentinel or a proxy"
        ),
    ),
    (
        r"\bWRONGTYPE\b",
        (
            "has other keys of the same names: give doneyet a DONEYET_KEY_PREFIX or a database "
            "of its own"
        ),
    ),
)
_CERTIFICATE = (
    "has a certificate that cannot be verified ({}); "
    f"{_URL} can name another authority: ?ssl_ca_certs=FILE"
)
_NO_WRITES = re.compile(r"\b(MISCONF|NOREPLICAS|OOM|READONLY|IOERR)\b")
_SCRIPT = re.compile(r" script: [0-9a-f]{40}, on @.*", re.DOTALL)
"""Where in a script of ours it was, which Redis adds."""
_PATTERNS = [(re.compile(pattern, re.IGNORECASE), text) for pattern, text in _MISCONFIGURED]


def translated(error: redis.RedisError, place: str) -> UnavailableError:
    """Our error for what redis-py raised; `place` is the server's URL without its password."""
    said = _said(error)
    if isinstance(error, MasterNotFoundError):
        return _no_master(error.__cause__, place)
    for pattern, meaning in _PATTERNS:
        if _is_reply(error) and pattern.search(said):
            return MisconfiguredError(f"Redis at {place} {meaning} ({said})")
    if certificate := _certificate_error(error):
        return MisconfiguredError(f"Redis at {place} {_CERTIFICATE.format(certificate)}")
    if isinstance(error, InvalidResponse):
        return unreadable(place)
    if _is_reply(error):
        refuses = "takes no writes" if _NO_WRITES.search(said) else "refuses for now"
        return UnavailableError(f"Redis at {place} {refuses}: {said}")
    return UnavailableError(f"Redis at {place} is away: {said}")


def translated_of_cluster(error: RedisClusterException, place: str) -> UnavailableError:
    """As `translated`, of what redis-py raises itself about a cluster as a whole."""
    root: BaseException | None = error
    while root is not None:
        if isinstance(root, redis.RedisError):
            return translated(root, place)
        root = root.__cause__ or root.__context__
    return UnavailableError(f"Redis at {place} is away in part: {error}")


def was_replaced(error: redis.RedisError) -> bool:
    """Whether another Redis takes writes now, and is to be looked for."""
    return "READONLY" in _said(error)


def _no_master(cause: BaseException | None, place: str) -> UnavailableError:
    """Our error where no Sentinel tells of a master; `cause` is why, where none answers."""
    if isinstance(cause, redis.AuthenticationError):
        return MisconfiguredError(
            f"the Sentinels of {place} refuse the user or the password: {_URL} can give theirs, "
            "?sentinel_username=USER&sentinel_password=PASSWORD"
        )
    if certificate := _certificate_error(cause):
        return MisconfiguredError(f"a Sentinel of {place} {_CERTIFICATE.format(certificate)}")
    what = "know no master of that name now" if cause is None else f"are away: {cause}"
    return UnavailableError(f"the Sentinels of {place} {what}")


def unreadable(place: str) -> UnavailableError:
    """Our error for a reply that is none."""
    return UnavailableError(f"Redis at {place} gave a reply that cannot be read")


def _said(error: redis.RedisError) -> str:
    """The server's line with its code, which redis-py cuts off where it knows the code."""
    code, text = getattr(error, "status_code", None), _SCRIPT.sub("", str(error))
    text = text.rstrip(".")
    return f"{code} {text}" if code and code != "ERR" and not text.startswith(code) else text


def _is_reply(error: redis.RedisError) -> bool:
    """Whether the server said it, rather than the network."""
    return (
        isinstance(error, redis.ResponseError | redis.AuthenticationError)
        or getattr(error, "status_code", None) is not None
        or str(error) == "Invalid Database"
    )


def _certificate_error(error: BaseException | None) -> str:
    """What is wrong with the certificate, if that is at the root of `error`."""
    while error is not None:
        if isinstance(error, ssl.SSLCertVerificationError):
            return error.verify_message
        error = error.__cause__ or error.__context__
    return ""
