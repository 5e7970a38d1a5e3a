"""Redis URLs: what is taken, what is shown of them, and how a flag changes a part of one.

No message here repeats a part of a URL that may be a part of a password.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import IPv6Address
from typing import Literal
from urllib.parse import SplitResult, parse_qsl, urlencode, urlsplit, urlunsplit

SCHEMES = ("redis", "rediss", "unix")
OPTIONS = ("db", "username", "password", "client_name")
TLS_OPTIONS = (
    *("ssl_ca_certs", "ssl_ca_path", "ssl_certfile", "ssl_keyfile", "ssl_password"),
    *("ssl_cert_reqs", "ssl_check_hostname", "ssl_min_version", "ssl_ciphers"),
)
"""Query options that rediss:// takes besides; all others would change how doneyet itself works."""
NOT_OF_CLUSTERS = ("ssl_min_version", "ssl_ciphers")
"""Of these, what redis-py does not pass on to the nodes of a cluster."""
SENTINEL_OPTIONS = ("sentinel_username", "sentinel_password")
SENTINEL_PORT = 26379
_OWN = (*SENTINEL_OPTIONS, *TLS_OPTIONS)
"""What Sentinels are told of all that."""

_ENCODE = "in a user or password, percent-encode / # ? @ : and % (/ is %2F, # is %23, @ is %40)"
_MISPLACED = f"has an @ or a # where none may stand; {_ENCODE}"
_FORMS = {
    "one": "redis://[user:password@]host[:port][/database]",
    "sentinel": "redis+sentinel://[user:password@]host[:port],host[:port]/name[/database]",
    "cluster": "redis+cluster://[user:password@]host[:port],host[:port]",
}
_SEVERAL = re.compile(r"(rediss?)\+(sentinel|cluster)://([^/?#]*)([^?#]*)(.*)", re.DOTALL)
"""Whether there is TLS, what the hosts are, user and hosts, path, options."""
_HOST = re.compile(r"(?:\[[0-9A-Fa-f:.]+\]|[\w.-]+)(?::[0-9]{1,5})?")
_DIGITS = re.compile(r"[0-9]{1,9}")


class RedisUrlError(ValueError):
    """Raised when a Redis URL cannot be used; the message continues "the URL ..."."""


@dataclass(frozen=True, slots=True)
class Servers:
    """What a Redis URL names.

    Attributes:
        kind: a Redis by itself, one that Sentinels know, or a cluster.
        urls: of that Redis, of the Sentinels, or of some of the cluster's nodes.
        redis_url: has the user, password, database and options of all connections to Redis.
        service: by what name Sentinels know the Redis.
    """

    kind: Literal["one", "sentinel", "cluster"]
    urls: tuple[str, ...]
    redis_url: str
    service: str = ""


def servers_of(url: str) -> Servers:
    """What `url` names.

    Raises:
        RedisUrlError: it names no Redis; says what to do about it.
    """
    several = _SEVERAL.fullmatch(url)
    if several is None:
        _check(url)
        return Servers("one", (url,), url)
    scheme, kind, authority, path, rest = several.groups()
    if "#" in rest:
        raise RedisUrlError(_MISPLACED)
    user, at, hosts = authority.rpartition("@")
    if "@" in user or "," in user:
        raise RedisUrlError(f"{_MISPLACED}, and a comma is %2C")
    if not all(_HOST.fullmatch(host) for host in hosts.split(",")):
        raise RedisUrlError(f"must have the form {_FORMS[kind]}; {_ENCODE}")
    options = parse_qsl(rest.removeprefix("?"), keep_blank_values=True)
    if kind == "cluster":
        urls = [f"{scheme}://{user}{at}{host}{path}{rest}" for host in hosts.split(",")]
        for each in urls:
            _check(each, kind)
        _check_for_cluster(path, options)
        return Servers("cluster", tuple(urls), urls[0])
    service, slash, database = path.removeprefix("/").partition("/")
    query = urlencode([each for each in options if each[0] not in SENTINEL_OPTIONS])
    # What follows a host; the Sentinels' own users and options differ from those of the Redis.
    of_redis = f"{slash}{database}" + (f"?{query}" if query else "")
    for host in hosts.split(","):
        _check(f"{scheme}://{user}{at}{host}{of_redis}", kind)
    if not re.fullmatch(r"[\w.-]+", service):
        raise RedisUrlError(f"must name what the Sentinels watch, as in {_FORMS[kind]}")
    own = [(name.removeprefix("sentinel_"), value) for name, value in options if name in _OWN]
    sentinels = [f"{scheme}://{_with_port(host)}?{urlencode(own)}" for host in hosts.split(",")]
    redis_url = f"{scheme}://{user}{at}{hosts.split(',')[0]}{of_redis}"
    return Servers("sentinel", tuple(sentinels), redis_url, service)


def check_redis_url(url: str) -> None:
    """Does nothing where `url` names a Redis.

    Raises:
        RedisUrlError: it does not; says what to do about it.
    """
    servers_of(url)


def without_password(url: str) -> str:
    """`url` with its user and password, if any, replaced by `***`, and no options but `db`."""
    scheme, _, rest = url.partition("://")
    before, at, after = rest.rpartition("@")
    place = re.split(r"[?#]", after)[0]
    several = _SEVERAL.fullmatch(url)
    hosts = several[3].rpartition("@")[2].split(",") if several is not None else []
    misread = _split(re.sub(r",[^/?#]*", "", url)) is None or not all(map(_HOST.fullmatch, hosts))
    if not at and misread:
        place = "***"  # it may be a password that stands where the host should
    database = re.search(r"[?&]db=([0-9]+)", rest)
    shown = f"?db={database[1]}" if database else ""
    return f"{scheme}://{'***@' if before or at else ''}{place}{shown}"


def with_parts(
    url: str, *, host: str | None = None, port: str | None = None, database: str | None = None
) -> str:
    """`url`, a redis:// or rediss:// one, with another host, port or database.

    Raises:
        RedisUrlError: that would not be a URL of a Redis.
    """
    parts = urlsplit(url)
    user, at, _ = parts.netloc.rpartition("@")
    shown_host = _bracketed(parts.hostname or "localhost" if host is None else host)
    shown_port = str(parts.port or 6379) if port is None else port
    path, query = parts.path, parts.query
    if database is not None:
        path = f"/{database}"
        query = urlencode([each for each in parse_qsl(query) if each[0] != "db"])
    netloc = f"{user}{at}{shown_host}:{shown_port}"
    changed = urlunsplit(parts._replace(netloc=netloc, path=path, query=query))
    check_redis_url(changed)
    return changed


def _check(url: str, kind: str = "one") -> None:
    """Refuses `url`, of a Redis by itself or of one of several, where it has no such form."""
    if url.partition("://")[0] not in SCHEMES or "://" not in url:
        raise RedisUrlError(
            "must begin with redis://, rediss:// or unix://, or with redis+sentinel:// or "
            "redis+cluster:// (with TLS rediss+...)"
        )
    parts = _split(url)
    no_host = kind != "one" and parts is not None and not parts.hostname
    if parts is None or no_host or parts.port == 0 or parts.netloc.endswith(":"):
        raise RedisUrlError(
            f"must have the form {_FORMS[kind]}, with a port from "
            f"1 to 65535; {_ENCODE}; an IPv6 address stands in [brackets]"
        )
    if "@" in parts.path + parts.query or "#" in url:
        raise RedisUrlError(_MISPLACED)
    if parts.scheme == "unix" and (parts.hostname or not parts.path.strip("/")):
        raise RedisUrlError("must name a socket's whole path, as in unix:///run/redis.sock?db=0")
    if parts.scheme != "unix" and not re.fullmatch(r"(/[0-9]{0,9})?", parts.path):
        raise RedisUrlError("must end with the database's number, as in redis://host:6379/0")
    _check_options(parts)


def _check_for_cluster(path: str, options: list[tuple[str, str]]) -> None:
    given = dict(options)
    if path.strip("/0") or given.get("db", "").strip("0"):
        raise RedisUrlError("names a database, but a Redis Cluster has none but 0: leave it out")
    if refused := [name for name in NOT_OF_CLUSTERS if name in given]:
        raise RedisUrlError(f"has an option that there is not for clusters: {refused[0]!r}")


def _with_port(host: str) -> str:
    return host if re.search(r":[0-9]+$", host) else f"{host}:{SENTINEL_PORT}"


def _split(url: str) -> SplitResult | None:
    """The parts of `url`; None where it has no such form."""
    try:
        parts = urlsplit(url)
        _ = parts.port  # found to be none only when it is looked at
    except ValueError:
        return None
    return parts


def _check_options(parts: SplitResult) -> None:
    taken = OPTIONS + (TLS_OPTIONS if parts.scheme == "rediss" else ())
    for name, value in parse_qsl(parts.query, keep_blank_values=True):
        if name not in taken:
            shown = repr(name) if re.fullmatch(r"[a-z_]{1,40}", name) else "one"
            raise RedisUrlError(f"has an option, {shown}, that is not one of {', '.join(taken)}")
        if name == "db" and not _DIGITS.fullmatch(value):
            raise RedisUrlError("must have a number as its option db")
        if name == "ssl_cert_reqs" and value not in ("none", "optional", "required"):
            raise RedisUrlError("must have none, optional or required as its option ssl_cert_reqs")


def _bracketed(host: str) -> str:
    """`host` as it stands in a URL."""
    bare = host[1:-1] if host.startswith("[") and host.endswith("]") else host
    try:
        IPv6Address(bare)
    except ValueError:
        if not re.fullmatch(r"[\w.-]+", bare):
            raise RedisUrlError(
                "needs a host's name or address alone; its port stands in --redis-port"
            ) from None
        return bare
    return f"[{bare}]"
