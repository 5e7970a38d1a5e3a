"""Redis URLs: which are taken, which part is shown, how flags change one."""

from __future__ import annotations

import pytest

from doneyet.command.setting_options import settings_from
from doneyet.redis_url import (
    RedisUrlError,
    check_redis_url,
    servers_of,
    with_parts,
    without_password,
)
from doneyet.setting_values import SettingError
from doneyet.settings import Settings


@pytest.mark.parametrize(
    "url",
    [
        "redis://",
        "redis://host",
        "redis://host:6379/15",
        "redis://[::1]:6379/0",
        "redis://user:p%2F%23%3F%40w@host/0",
        "redis://:p@ss@host/0",
        "redis://host?db=3&client_name=me",
        "rediss://host/0?ssl_ca_certs=/etc/ca.pem&ssl_cert_reqs=required",
        "unix:///run/redis.sock?db=1",
        "unix://user:word@/run/redis.sock",
        "redis+sentinel://one:26379,two/mymaster",
        "redis+sentinel://[::1],[::2]:1/my-master/3?sentinel_password=p%40w",
        "rediss+sentinel://user:p%2Fw@one,two/m.y?ssl_ca_certs=/etc/ca.pem&client_name=me",
        "redis+cluster://one:7000,two:7001",
        "redis+cluster://user:p%2Fw@one/0?db=0",
        "rediss+cluster://[::1]:7000/?ssl_ca_certs=/etc/ca.pem",
    ],
)
def test_good_urls(url: str) -> None:
    """What redis-py takes, as far as it is doneyet's business."""
    check_redis_url(url)


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("SECRET", "must begin with"),
        ("http://SECRET", "must begin with"),
        ("redis://:SECRET", "percent-encode"),
        ("redis://:s3c/rSECRET@host:6379/0", "percent-encode"),
        ("redis://:12#SECRET@host:6379/0", "percent-encode"),
        ("redis://:12?SECRET@host:6379/0", "percent-encode"),
        ("redis://:a[SECRET@host/0", "percent-encode"),
        ("redis://host:99999/0", "1 to 65535"),
        ("redis://host:0/0", "1 to 65535"),
        ("redis://host:/0", "1 to 65535"),
        ("redis://::1:6379/0", "brackets"),
        ("redis://host/SECRET", "the database's number"),
        ("redis://host/0/1", "the database's number"),
        ("redis://host/-1", "the database's number"),
        ("redis://host?db=SECRET", "option db"),
        ("redis://host?decode_responses=true", "'decode_responses'"),
        ("redis://host?protocol=3", "'protocol'"),
        ("redis://host?socket_timeout=9", "'socket_timeout'"),
        ("redis://host?ssl_ca_certs=x", "'ssl_ca_certs'"),
        ("rediss://host?ssl_cert_reqs=SECRET", "none, optional or required"),
        ("unix://run/redis.sock", "whole path"),
        ("unix://", "whole path"),
        ("redis+http://SECRET", "must begin with"),
        ("redis+cluster://:SECRET", "percent-encode"),
        ("redis+cluster://:s3c/rSECRET@host:6379", "percent-encode"),
        ("redis+cluster://:12#SECRET@host:6379", "percent-encode"),
        ("redis+cluster://one:1,two:99999", "1 to 65535"),
        ("redis+cluster://one:1,two:SECRET", "must have the form"),
        ("redis+cluster://one,:SECRET@two:1", "comma is %2C"),
        ("redis+cluster://[::1]6380", "must have the form"),
        ("redis+cluster://[::1]SECRET:5", "must have the form"),
        ("redis+sentinel://a:SECRET@one:1,c:d@two:2/m/0", "percent-encode"),
        ("redis+sentinel://u:SECRET@[::1]26379/m/0", "must have the form"),
        ("redis+sentinel://one:1,pass SECRET/m/0", "must have the form"),
        ("redis+cluster://one:1,", r"redis\+cluster://.*host\[:port\],host"),
        ("redis+cluster://", "must have the form"),
        ("redis+cluster://host/1", "has none but 0"),
        ("redis+cluster://host?db=1", "has none but 0"),
        ("redis+cluster://host/SECRET", "the database's number"),
        ("redis+cluster://host?sentinel_password=SECRET", "'sentinel_password'"),
        ("rediss+cluster://host?ssl_ciphers=SECRET", "not for clusters: 'ssl_ciphers'"),
        ("redis+sentinel://one,two", "what the Sentinels watch"),
        ("redis+sentinel://one/", "what the Sentinels watch"),
        ("redis+sentinel://one,/name", r"redis\+sentinel://.*/name"),
        ("redis+sentinel://one/name/SECRET", "the database's number"),
        ("redis+sentinel://:s3c/rSECRET@one/name", "percent-encode"),
        ("redis+sentinel://:12#SECRET@one/name", "percent-encode"),
        ("redis+sentinel://one/name?socket_timeout=9", "'socket_timeout'"),
        ("redis+sentinel://one/name?ssl_ca_certs=x", "'ssl_ca_certs'"),
    ],
)
def test_bad_urls(url: str, said: str) -> None:
    """Each says what to do; nothing that may be a secret is repeated, the setting is named."""
    with pytest.raises(RedisUrlError, match=said) as caught:
        check_redis_url(url)
    assert "SECRET" not in str(caught.value)
    assert "s3c" not in str(caught.value)
    with pytest.raises(SettingError, match=r"^DONEYET_REDIS_URL "):
        Settings(redis_url=url)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("redis://host:1/0", "redis://host:1/0"),
        ("redis://user:SECRET@host:1/0", "redis://***@host:1/0"),
        ("redis://:a/SECRET@host:1/0", "redis://***@host:1/0"),
        ("redis://:a@SECRET@host:1/0", "redis://***@host:1/0"),
        ("redis://:SECRET", "redis://***"),
        ("redis://host/0?password=SECRET", "redis://host/0"),
        ("unix:///run/redis.sock?db=2&password=SECRET", "unix:///run/redis.sock?db=2"),
        ("unix://:SECRET@/run/redis.sock", "unix://***@/run/redis.sock"),
        ("redis+cluster://one:1,two:2", "redis+cluster://one:1,two:2"),
        ("redis+cluster://:SECRET", "redis+cluster://***"),
        ("redis+cluster://one:6379,two:SECRET", "redis+cluster://***"),
        ("redis+cluster://[::1]:6379,two", "redis+cluster://[::1]:6379,two"),
        ("rediss+cluster://u:SECRET@one,two:2/0", "rediss+cluster://***@one,two:2/0"),
        ("redis+sentinel://:SECRET@one,two/m/3", "redis+sentinel://***@one,two/m/3"),
        ("redis+sentinel://one/m?sentinel_password=SECRET", "redis+sentinel://one/m"),
    ],
)
def test_what_is_shown(url: str, shown: str) -> None:
    """The place, and no secret wherever it stands."""
    assert without_password(url) == shown


def test_what_sentinels_are_told() -> None:
    """Their own user and password, what there is of TLS, and nothing that is for the Redis."""
    servers = servers_of(
        "rediss+sentinel://user:word@one,[::1]:9/name/3"
        "?client_name=me&ssl_ca_certs=ca.pem&sentinel_username=u&sentinel_password=p%40w"
    )
    options = "ssl_ca_certs=ca.pem&username=u&password=p%40w"
    assert (servers.kind, servers.service) == ("sentinel", "name")
    assert servers.urls == (f"rediss://one:26379?{options}", f"rediss://[::1]:9?{options}")
    of_redis = "rediss://user:word@one/3?client_name=me&ssl_ca_certs=ca.pem"
    assert servers.redis_url == of_redis


def test_nodes_of_a_cluster() -> None:
    """Each has the user and the options."""
    servers = servers_of("redis+cluster://user:word@one:1,two?client_name=me")
    assert servers.kind == "cluster"
    assert servers.urls == tuple(
        f"redis://user:word@{host}?client_name=me" for host in ("one:1", "two")
    )


@pytest.mark.parametrize("queue_mode", ["random", "rq"])
def test_queue_modes_that_need_one_redis(queue_mode: str) -> None:
    """They refuse a cluster in a sentence that says what to do; the others take it."""
    url = "redis+cluster://host"
    with pytest.raises(SettingError, match=rf"{queue_mode} queue mode needs one Redis: use --dis"):
        Settings(redis_url=url, queue_mode=queue_mode)
    for other in ("distributed", "ordered", "synchronous"):
        assert Settings(redis_url=url, queue_mode=other).redis_place == url
    Settings(redis_url="redis+sentinel://host/name", queue_mode=queue_mode)


def test_parts_by_flags() -> None:
    """A host may be an IPv6 address, with or without brackets; the rest stays."""
    url = "redis://user:p%40w@old:1/2?client_name=me"
    assert with_parts(url, host="::1") == "redis://user:p%40w@[::1]:1/2?client_name=me"
    assert with_parts(url, host="[::1]") == with_parts(url, host="::1")
    assert with_parts(url, port="7", database="3") == "redis://user:p%40w@old:7/3?client_name=me"
    assert with_parts("redis://old?db=1", database="3") == "redis://old:6379/3"
    for host in ("", "host:1", "redis://host", "user@host", "a b"):
        with pytest.raises(RedisUrlError, match="alone"):
            with_parts(url, host=host)
    for port in ("0", "99999"):
        with pytest.raises(RedisUrlError, match="65535"):
            with_parts(url, port=port)


def test_flags_of_the_command_line(capsys: pytest.CaptureFixture[str]) -> None:
    """`--redis-host ::1` works; a port out of range is one line that names the flag."""
    settings = settings_from("worker", ["--redis-host", "::1"], environ={})
    assert settings.redis_url == "redis://[::1]:6379/0"
    with pytest.raises(SystemExit, match="2"):
        settings_from("worker", ["--redis-port", "99999"], environ={})
    (line,) = capsys.readouterr().err.splitlines()
    assert "--redis-port" in line
    for url in ("redis+cluster://host", "redis+sentinel://host/name", "unix:///run/redis.sock"):
        environ = {"DONEYET_REDIS_URL": url, "DONEYET_QUEUE_MODE": "ordered"}
        with pytest.raises(SystemExit, match="2"):
            settings_from("worker", ["--redis-host", "there"], environ=environ)
        assert "need a redis:// URL" in capsys.readouterr().err
