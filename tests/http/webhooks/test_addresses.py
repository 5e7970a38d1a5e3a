"""Which addresses and URLs webhooks may be sent to."""

from __future__ import annotations

import pytest

from http_server.webhooks.addresses import refusal
from http_server.webhooks.target import Target, target_of
from http_server.wire.problem import Problem

PUBLIC = (
    *("1.1.1.1", "8.8.8.8", "93.184.215.14", "172.32.0.1", "100.128.0.1", "192.169.0.1"),
    *("2606:4700:4700::1111", "2a00:1450:4001:80f::200e"),
    *("::ffff:8.8.8.8", "::8.8.8.8", "64:ff9b::8.8.8.8", "2002:808:808::1"),
    "::ffff:0:8.8.8.8",
)
PRIVATE = (
    *("10.0.0.1", "10.255.255.255", "172.16.0.1", "172.31.255.255", "192.168.1.1"),
    *("127.0.0.1", "127.8.8.8", "100.64.0.1", "::1", "fc00::1", "fd12:3456::1"),
    *("::ffff:10.0.0.1", "::ffff:127.0.0.1", "::ffff:7f00:1", "::127.0.0.1", "::a00:1"),
    *("64:ff9b::10.0.0.1", "64:ff9b::7f00:1", "64:ff9b::192.168.0.1"),
    *("::ffff:0:127.0.0.1", "::ffff:0:10.0.0.1"),
    *("2002:7f00:1::", "2002:a00:1::5", "2002:c0a8:101:1::"),
)
NEVER = (
    *("0.0.0.0", "0.1.2.3", "169.254.169.254", "169.254.0.1", "100.100.100.200"),
    *("192.0.0.8", "192.0.2.1", "192.88.99.1", "198.18.0.1", "198.51.100.7", "203.0.113.9"),
    *("224.0.0.1", "239.255.255.250", "240.0.0.1", "255.255.255.255"),
    *("::", "fe80::1", "fe80::1%eth0", "febf::1", "fec0::1", "feff::1"),
    *("ff02::1", "ff0e::1", "fd00:ec2::254", "fd20:ce::254"),
    *("168.63.129.16", "::ffff:168.63.129.16", "::ffff:0:169.254.169.254"),
    *("100::1", "2001::1", "2001:10::1", "2001:db8::1", "3fff::1", "5f00::1", "64:ff9b:1::a00:1"),
    *("::ffff:169.254.169.254", "::ffff:0.0.0.0", "::ffff:224.0.0.1", "::ffff:100.100.100.200"),
    *("::169.254.169.254", "64:ff9b::169.254.169.254", "64:ff9b::224.0.0.1"),
    *("2002:a9fe:a9fe::", "2002:e000:1::", "2002::1", "64:ff9b::"),
    *("", "localhost", "1.2.3", "0x7f000001", "2130706433", "127.1"),
)


@pytest.mark.parametrize("address", PUBLIC)
def test_public_addresses_are_allowed(address: str) -> None:
    """Also those that stand for an IPv4 address that is."""
    assert refusal(address, private=False) is None
    assert refusal(address, private=True) is None


@pytest.mark.parametrize("address", PRIVATE)
def test_private_addresses_need_a_setting(address: str) -> None:
    """Which the refusal names."""
    assert "DONEYET_WEBHOOK_PRIVATE" in str(refusal(address, private=False))
    assert refusal(address, private=True) is None


@pytest.mark.parametrize("address", NEVER)
def test_other_addresses_are_never_allowed(address: str) -> None:
    """Link-local ones are where clouds tell their secrets; no setting opens these."""
    assert refusal(address, private=False) is not None
    assert refusal(address, private=True) is not None


@pytest.mark.parametrize(
    ("url", "target"),
    [
        ("https://example.org", Target("https", "example.org", 443, "/")),
        ("https://example.org:8443/a/b?c=d&e", Target("https", "example.org", 8443, "/a/b?c=d&e")),
        ("HTTPS://Example.ORG/x", Target("https", "example.org", 443, "/x")),
        ("https://[2606:4700::1]/", Target("https", "2606:4700::1", 443, "/")),
        ("https://1.1.1.1?q", Target("https", "1.1.1.1", 443, "/?q")),
    ],
)
def test_urls_are_taken_apart(url: str, target: Target) -> None:
    """Into what a request is made of."""
    assert target_of(url, http=False, private=False) == target
    assert "?" not in target.place


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("http://example.org/", "DONEYET_WEBHOOK_HTTP"),
        ("ftp://example.org/", "must begin with https://"),
        ("example.org/hook", "must begin with https://"),
        ("//example.org/hook", "must begin with https://"),
        ("file:///etc/passwd", "must begin with https://"),
        ("https://user:word@example.org/", "user or a password"),
        ("https://user@example.org/", "user or a password"),
        ("https://@example.org/", "user or a password"),
        ("https:///path", "must be https://host"),
        ("https://", "must be https://host"),
        ("https://example.org/#part", "without a fragment"),
        ("https://example.org/#", "without a fragment"),
        ("https://exa mple.org/", "visible ASCII"),
        ("https://example.org/\r\nx: y", "visible ASCII"),
        ("https://exämple.org/", "visible ASCII"),
        ("", "visible ASCII"),
        ("https://example.org/" + "x" * 2000, "visible ASCII"),
        ("https://example.org:99999/", "is not a URL"),
        ("https://example.org:x/", "is not a URL"),
        ("https://[::1/", "is not a URL"),
        ("https://example.org:0/", "must be https://host"),
        ("https://example.org\\@evil.example/", "user or a password"),
        ("https://example.org/a\\b", "must be https://host"),
        ("https://a%2eb/", "must be https://host"),
        ("https://127.0.0.1/", "DONEYET_WEBHOOK_PRIVATE"),
        ("https://[::1]:8443/", "DONEYET_WEBHOOK_PRIVATE"),
        ("https://[::ffff:10.0.0.1]/", "DONEYET_WEBHOOK_PRIVATE"),
        ("https://169.254.169.254/latest", "never"),
    ],
)
def test_other_urls_are_refused(url: str, why: str) -> None:
    """With a problem that says what is wrong, or which setting decides."""
    with pytest.raises(Problem) as refused:
        target_of(url, http=False, private=False)
    assert (refused.value.status, refused.value.kind) == (400, "bad-webhook")
    assert why in refused.value.detail


def test_settings_allow_more() -> None:
    """No TLS, and private networks; never what is link-local."""
    assert target_of("http://127.0.0.1:80/", http=True, private=True).port == 80
    with pytest.raises(Problem):
        target_of("http://169.254.169.254/", http=True, private=True)
