"""A server that a proxy shows at a path, such as /ml, and not at the root of a host.

Some proxies take the path off before they pass a request on, others do not. Both are the same here:
it is taken off where it is there. Every `Location` gets it, so no route needs to know.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable
from typing import TYPE_CHECKING, Any

from doneyet.setting_values import SettingError, env_name
from doneyet.settings import Settings
from http_server.keys.keyless import KEYLESS
from http_server.keys.roles import PERMISSIONS, PUBLIC

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

_PATH = re.compile(r"(/(?!\.{1,2}(/|$))[A-Za-z0-9._~-]+)+")


def check_root_path(settings: Settings, endpoints: Collection[str]) -> None:
    """Does nothing where the path can be served.

    Raises:
        SettingError: it is no path, or begins as the server's own paths do, so that nobody could
            tell whether a proxy has taken it off.
    """
    path = settings.root_path
    if not path:
        return
    if _PATH.fullmatch(path) is None:
        raise SettingError(
            f"{env_name('root_path')} must be a path such as /ml, which begins with a slash and "
            f"ends without one, of letters, digits and -._~, not {path!r}"
        )
    first = _first(path)
    routes = {*endpoints, *PUBLIC, *KEYLESS, *(each.route for each in PERMISSIONS)}
    if first in {_first(route) for route in routes if route.startswith("/")}:
        raise SettingError(
            f"{env_name('root_path')} {path}: the server has paths of its own that begin with "
            f"{first}; choose another path, such as /ml{path}"
        )


def with_root_path(
    app: WSGIApplication, root_path: str
) -> Callable[[WSGIEnvironment, StartResponse], Iterable[bytes]]:
    """`app` at `root_path`: requests may begin with it, and every `Location` does."""
    below = root_path + "/"

    def at_root_path(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        path = environ["PATH_INFO"]
        if path.startswith(below) or path == root_path:
            environ["PATH_INFO"] = path[len(root_path) :] or "/"

        def start(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Any:
            return start_response(status, [_placed(*each) for each in headers], exc_info)

        return app(environ, start)

    def _placed(name: str, value: str) -> tuple[str, str]:
        """A header; one that tells a path of the server tells the proxy's."""
        if name.lower() == "location" and value.startswith("/"):
            value = root_path + value
        return name, value

    return at_root_path


def _first(path: str) -> str:
    """The first segment, with its slash."""
    return "/" + path.split("/")[1]
