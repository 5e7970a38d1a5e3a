"""Every setting of doneyet, once: the table behind environment variables, flags, help and docs.

A setting `lease_s` is `DONEYET_LEASE_S` in the environment and `--lease-s` on a command line; the
command line wins. Junk is refused at start with the name and the value. Blanks around a value are
dropped, and an empty value is the default.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from doneyet.process_range import Range
from doneyet.redis_url import RedisUrlError, servers_of, with_parts, without_password
from doneyet.service_links import service_links
from doneyet.setting_values import SettingError, check, env_name, flag_name, nearest, parse

PICKS = ("fair", "oldest", "random")
QUEUE_MODES = ("random", "distributed", "ordered", "rq", "synchronous")
LOG_FORMATS = ("text", "json")
LOG_LEVELS = ("debug", "info", "warning", "error", "critical")

HTTP_SERVER, WORKER = "http_server", "worker"
BOTH = (HTTP_SERVER, WORKER)


CLIENT_KEY = "DONEYET_KEY"
"""A variable that is no setting: the key that clients on this machine send."""

KEY_START = "dyk_"
"""What every API key begins with."""

URL_FLAGS = {"redis_host": "host", "redis_port": "port", "output_cache_db": "database"}
"""The seeds' flags that change a part of the Redis URL, and which."""

SEED_NAMES = ("ENABLE_METRICS", "METRICS_NAMESPACE", "METRICS_SUBSYSTEM")
"""Environment variables that are known without the prefix, too."""


def _setting(
    default: Any,
    text: str,
    *,
    unit: str = "",
    programs: tuple[str, ...] = BOTH,
    minimum: float | None = None,
    choices: tuple[str, ...] = (),
    secret: bool = False,
) -> Any:
    """One row of the table; `secret` values never show in a `repr`."""
    metadata = {
        "help": text,
        "unit": unit,
        "programs": programs,
        "minimum": minimum,
        "choices": choices,
        "secret": secret,
    }
    return field(default=default, metadata=metadata, repr=not secret)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """All settings, checked; build with `from_environment` or `from_flags`."""

    redis_url: str = _setting(
        "redis://localhost:6379/0",
        "URL of Redis or Valkey: redis://, rediss:// (TLS) or unix://; for more than one "
        "redis+sentinel:// or redis+cluster:// (with TLS rediss+...)",
        secret=True,
    )
    input_db: int = _setting(
        1,
        "Redis database for waiting tasks in the random queue mode; nothing else may use it",
        minimum=0,
    )
    key_prefix: str = _setting("doneyet", "prefix of every Redis key")
    queue_mode: str = _setting(
        "random", "how waiting tasks are stored and picked", choices=QUEUE_MODES
    )
    pick: str = _setting(
        "fair",
        "which waiting task is next in the distributed queue mode: fair between clients, the "
        "oldest of all, or one at random",
        choices=PICKS,
    )
    split_types: str = _setting(
        "",
        "task types that one node of a Redis Cluster cannot carry, comma separated, with a number "
        "of queues for each, such as minilm=4; the same for servers and workers",
    )
    tasks: str = _setting(
        "",
        "task types to serve, comma separated: files such as iris.py, modules, or the built-in "
        "factorization, regression and batch; empty, and no models: the built-in ones",
    )
    models: str = _setting("", "TOML file with the models to serve, such as models.example.toml")
    storage: str = _setting(
        "",
        "places that file-to-file jobs may read and write, comma separated: folders, "
        "s3://bucket/prefix, gs://, gdrive://; a name without a place is in the first one",
    )
    input_ttl_s: float = _setting(
        60.0, "how long one submit keeps a task alive", unit="s", minimum=1
    )
    result_ttl_s: float = _setting(86400.0, "how long a result is kept", unit="s", minimum=1)
    failure_ttl_s: float = _setting(
        60.0, "how long a failure is kept; after that, a submit runs it again", unit="s", minimum=1
    )
    lease_s: float = _setting(
        15.0, "how long a worker keeps its tasks without renewing its lease", unit="s", minimum=1
    )
    max_attempts: int = _setting(
        3, "attempts before a task that crashes its process is marked failed", minimum=1
    )
    max_load: int = _setting(
        100_000, "most waiting and running tasks per type; above it, new tasks get 503", minimum=1
    )
    log_level: str = _setting("info", "lowest level that is logged", choices=LOG_LEVELS)
    log_format: str = _setting(
        "text", "log lines for people, or one JSON object per line", choices=LOG_FORMATS
    )

    host: str = _setting("127.0.0.1", "address the HTTP server listens on", programs=(HTTP_SERVER,))
    port: int = _setting(
        8080, "port the HTTP server listens on", programs=(HTTP_SERVER,), minimum=0
    )
    hosts: str = _setting(
        "",
        "host names that clients use for this server, comma separated, such as example.org or "
        "*.example.org; IP addresses, localhost and names without a dot are always allowed",
        programs=(HTTP_SERVER,),
    )
    root_path: str = _setting(
        "",
        "path at which a proxy shows this server, such as /ml; links begin with it, requests may",
        programs=(HTTP_SERVER,),
    )
    cors_origins: str = _setting(
        "",
        "origins of other sites' pages that may use this server, comma separated, such as "
        "https://app.example.org; *: every page that a visitor has open",
        programs=(HTTP_SERVER,),
    )
    max_body_bytes: int = _setting(
        8 * 1024 * 1024,
        "largest request body; above it, 413",
        unit="bytes",
        programs=(HTTP_SERVER,),
        minimum=1,
    )
    body_timeout_s: float = _setting(
        10.0,
        "time limit for receiving a request body, plus 1 s for each 16 KiB; then 408",
        unit="s",
        programs=(HTTP_SERVER,),
        minimum=0.1,
    )
    max_wait_s: float = _setting(
        30.0,
        "longest time that `Prefer: wait` gets",
        unit="s",
        programs=(HTTP_SERVER,),
        minimum=0,
    )
    max_waiting: int = _setting(
        2048,
        "most requests held by `Prefer: wait` and streams of events at once; more requests are "
        "answered immediately, more streams with 503",
        programs=(HTTP_SERVER,),
        minimum=0,
    )
    max_keep_s: float = _setting(
        86400.0,
        "longest time that `Prefer: keep` keeps a task alive without polls; so long a task with a "
        "`Webhook-URL` is kept",
        unit="s",
        programs=(HTTP_SERVER,),
        minimum=1,
    )
    webhook_secrets: str = _setting(
        "",
        "secrets that webhooks are signed with, comma separated: whsec_ and base64; each signs, so "
        "that one can replace another; empty: `Webhook-URL` is refused",
        programs=(HTTP_SERVER,),
        secret=True,
    )
    webhook_http: str = _setting(
        "false",
        "whether webhooks may be sent without TLS, to http:// URLs",
        programs=(HTTP_SERVER,),
        choices=("true", "false"),
    )
    webhook_private: str = _setting(
        "false",
        "whether webhooks may be sent to private networks and to this machine, which whoever "
        "submits could reach by them",
        programs=(HTTP_SERVER,),
        choices=("true", "false"),
    )
    keys: str = _setting(
        "",
        "file with the API keys, of which every request needs one; `doneyet key new` makes them",
        programs=(HTTP_SERVER,),
    )
    allow_no_keys: str = _setting(
        "false",
        "whether a server without keys may listen beyond loopback, where everybody who reaches it "
        "may use it",
        programs=(HTTP_SERVER,),
        choices=("true", "false"),
    )
    client_rate: float = _setting(
        0.0,
        "requests per second that one client, a key or an address, may make on average; above it, "
        "429; 0: no limit",
        unit="1/s",
        programs=(HTTP_SERVER,),
        minimum=0,
    )
    trusted_proxies: str = _setting(
        "",
        "addresses and networks of proxies whose X-Forwarded-For names the client, comma separated",
        programs=(HTTP_SERVER,),
    )
    client_weights: str = _setting(
        "",
        "shares of addresses and networks where the pick is fair, comma separated, such as "
        "10.0.0.7=4 for four times the share of others",
        programs=(HTTP_SERVER,),
    )
    client_max_waiting: int = _setting(
        0,
        "most waiting tasks of one client per type and priority where the pick is fair; above it, "
        "new ones get 429; 0: no limit",
        programs=(HTTP_SERVER,),
        minimum=0,
    )
    tracing: str = _setting(
        "off",
        "spans of requests and batches, sent as the OTEL_ variables say; needs doneyet[tracing]",
        choices=("off", "on"),
    )
    threads: int = _setting(
        64,
        "threads for requests that are not held",
        programs=(HTTP_SERVER,),
        minimum=1,
    )

    access_log: str = _setting(
        "off",
        "whether each request is logged: method, path, status, duration and client",
        programs=(HTTP_SERVER,),
        choices=("off", "on"),
    )
    enable_metrics: str = _setting(
        "true",
        "whether /metrics and /metrics/queue are there, for Prometheus",
        programs=(HTTP_SERVER,),
        choices=("true", "false"),
    )
    metrics_namespace: str = _setting(
        "doneyet", "what the names of metrics begin with", programs=(HTTP_SERVER,)
    )
    metrics_subsystem: str = _setting(
        "", "what follows the namespace in the names of metrics", programs=(HTTP_SERVER,)
    )
    hourly_history: str = _setting(
        "off",
        "whether what happens is counted by the hour, too, for 30 days; every server keeps it for "
        "all",
        programs=(HTTP_SERVER,),
        choices=("off", "on"),
    )

    root_type: str = _setting(
        "",
        "task type that `POST /` submits to, such as fill-mask/bert; empty: none",
        programs=(HTTP_SERVER,),
    )

    types: str = _setting(
        "", "task types that this worker runs, comma separated; empty: all", programs=(WORKER,)
    )
    processes: Range = _setting(  # noqa: RUF009 - a field, as the others
        Range(1, 1),
        "worker processes, such as 2; a range, such as 0..4: as many as the load asks for",
        programs=(WORKER,),
    )
    load_models: str = _setting(
        "at-start",
        "when a worker process loads its models",
        programs=(WORKER,),
        choices=("at-start", "at-first-claim"),
    )
    batch_jobs: int = _setting(
        4, "file-to-file jobs that one worker runs at once", programs=(WORKER,), minimum=1
    )
    gdrive_credentials: str = _setting(
        "",
        "JSON key file of the service account for Google Drive; empty: the file in "
        "GOOGLE_APPLICATION_CREDENTIALS",
        programs=(WORKER,),
        secret=True,
    )
    grace_s: float = _setting(
        30.0, "time for running tasks to finish after SIGTERM", unit="s", minimum=0
    )
    lock: str = _setting(
        "",
        "name of a lock that workers share to take turns on one device, batch by batch",
        programs=(WORKER,),
    )

    def __post_init__(self) -> None:
        for row in dataclasses.fields(self):
            check(row, getattr(self, row.name))
        try:
            servers = servers_of(self.redis_url)
        except RedisUrlError as error:
            raise SettingError(f"{env_name('redis_url')} {error}") from error
        if servers.kind == "cluster" and self.queue_mode in ("random", "rq"):
            raise SettingError(
                f"{env_name('redis_url')} names a Redis Cluster, and the {self.queue_mode} queue "
                "mode needs one Redis: use --distributed or --ordered "
                f"({env_name('queue_mode')})"
            )
        if self.pick != "fair" and self.queue_mode != "distributed":
            raise SettingError(
                f"{env_name('pick')} is for the distributed queue mode, not for {self.queue_mode}"
            )
        if not self.processes.is_fixed and self.queue_mode in ("rq", "synchronous"):
            raise SettingError(
                f"{env_name('processes')} must be a whole number in the {self.queue_mode} queue "
                f"mode, not {self.processes}: only doneyet's own worker chooses from a range"
            )
        if self.keys and self.client_weights:
            raise SettingError(
                f"{env_name('client_weights')} is for addresses; with {env_name('keys')}, write "
                "weight=N into the lines of keys"
            )
        if not self.key_prefix or any(c in "{}" or c.isspace() for c in self.key_prefix):
            raise SettingError(
                f"{env_name('key_prefix')} must be non-empty without braces or spaces, "
                f"not {self.key_prefix!r}"
            )

    @classmethod
    def from_environment(
        cls, environ: Mapping[str, str] | None = None, **overrides: Any
    ) -> Settings:
        """The settings that the environment gives, then `overrides` (already typed).

        Raises:
            SettingError: a variable holds junk, or a `DONEYET_` variable is neither a setting's
                nor one of `service_links`.
        """
        environ = os.environ if environ is None else environ
        rows = {env_name(row.name): row for row in dataclasses.fields(cls)}
        links = service_links(environ)
        values: dict[str, Any] = {}
        for name in SEED_NAMES:
            if name in environ:
                row = rows[env_name(name)]
                values[row.name] = parse(row, environ[name], name)
        for name, text in environ.items():
            if not name.startswith("DONEYET_") or name in links:
                continue
            if name == CLIENT_KEY:
                _check_client_key(text)
                continue
            if name not in rows:
                raise SettingError(f"{name} is not a setting; {nearest(name, rows)}")
            values[rows[name].name] = parse(rows[name], text, name)
        return cls(**{**values, **overrides})

    @classmethod
    def from_flags(
        cls, given: Mapping[str, str], environ: Mapping[str, str] | None = None
    ) -> Settings:
        """The settings that flags (texts by setting, or by `URL_FLAGS`) and the environment give.

        Raises:
            SettingError: one holds junk.
        """
        overrides = {
            row.name: parse(row, given[row.name], flag_name(row.name))
            for row in dataclasses.fields(cls)
            if row.name in given
        }
        return _with_seed_flags(cls.from_environment(environ, **overrides), given)

    def to_environment(self) -> dict[str, str]:
        """The environment variables from which `from_environment` makes these settings again."""
        return {
            env_name(row.name): str(getattr(self, row.name))
            for row in dataclasses.fields(self)
            if getattr(self, row.name) != row.default
        }

    @property
    def redis_place(self) -> str:
        """The Redis URL without its password, for messages and logs."""
        return without_password(self.redis_url)


def _check_client_key(text: str) -> None:
    """Refuses a file where a client's key should be: else a server would have no keys at all."""
    if text.strip() and not text.strip().startswith(KEY_START):
        raise SettingError(
            f"{CLIENT_KEY} is the key that a client sends, {KEY_START}...; the setting for a file "
            f"of keys is {env_name('keys')}"
        )


def _with_seed_flags(settings: Settings, given: Mapping[str, str]) -> Settings:
    """`--redis-host`, `--redis-port` and `--output-cache-db` written into the Redis URL."""
    parts = {part: given[name] for name, part in URL_FLAGS.items() if name in given}
    if not parts:
        return settings
    if not settings.redis_url.startswith(("redis:", "rediss:")):
        raise SettingError("--redis-host, --redis-port and --output-cache-db need a redis:// URL")
    for name in ("redis_port", "output_cache_db"):
        if not given.get(name, "0").isdecimal():
            raise SettingError(f"{flag_name(name)} must be a whole number, not {given[name]!r}")
    try:
        url = with_parts(settings.redis_url, **parts)
    except RedisUrlError as error:
        flags = " ".join(flag_name(name) for name in URL_FLAGS if name in given)
        raise SettingError(f"with {flags} the Redis URL {error}") from error
    return dataclasses.replace(settings, redis_url=url)
