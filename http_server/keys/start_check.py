"""Whether a server may start with the keys that it has: strangers reach what is not loopback."""

from __future__ import annotations

import ipaddress

from doneyet.setting_values import SettingError, env_name
from doneyet.settings import Settings
from http_server.keys.key_ring import KeyRing


def check_keys(settings: Settings) -> None:
    """Does nothing where the keys can be read, or where none are needed.

    Raises:
        SettingError: the key file is no good, or strangers could use a server without keys.
    """
    if settings.keys:
        KeyRing(settings.keys)
    elif settings.allow_no_keys != "true" and not is_loopback(settings.host):
        raise SettingError(
            f"{env_name('host')} {settings.host} lets other machines in, and there are no keys: "
            f"make one (doneyet key new NAME --file keys.txt) and set {env_name('keys')}=keys.txt, "
            f"or, where everybody who reaches it may use it, {env_name('allow_no_keys')}=true"
        )


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches a server that listens on `host`.

    A name other than `localhost` is not: what it leads to may change.
    """
    if host.lower() == "localhost":
        return True
    try:
        address = ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return False
    return (getattr(address, "ipv4_mapped", None) or address).is_loopback
