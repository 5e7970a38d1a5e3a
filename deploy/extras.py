"""What the project and some of its extras require, one a line: `extras.py factorization,batch`.

pip installs an extra only together with its project; an image takes the packages alone, so that
they are installed again when they change, not whenever the code does.
"""

from __future__ import annotations

import re
import sys
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path

PYPROJECT = Path(__file__).resolve().parent.parent / "pyproject.toml"


def requirements_of(
    extras: Sequence[str], project: str, optional: Mapping[str, Sequence[str]]
) -> list[str]:
    """What `extras` need, extras of `project` itself resolved, each requirement once.

    Raises:
        KeyError: one of them does not exist.
    """
    own = re.compile(rf"{re.escape(project)}\[([^\]]+)\]")
    found: dict[str, None] = {}
    for extra in extras:
        for requirement in optional[extra]:
            if match := own.fullmatch(requirement.strip()):
                found |= dict.fromkeys(requirements_of(split(match[1]), project, optional))
            else:
                found[requirement] = None
    return list(found)


def split(names: str) -> list[str]:
    """`a, b` as a list; empty names are left out."""
    return [name.strip() for name in names.split(",") if name.strip()]


def main(names: str) -> int:
    """Prints them; the exit code."""
    project = tomllib.loads(PYPROJECT.read_text())["project"]
    optional = project["optional-dependencies"]
    extras = split(names) or ["core"]
    if unknown := [name for name in extras if name not in optional]:
        sys.stderr.write(f"no extra {unknown[0]!r}; there are: {', '.join(optional)}\n")
        return 2
    wanted = project["dependencies"] + requirements_of(extras, project["name"], optional)
    sys.stdout.write("\n".join(dict.fromkeys(wanted)) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(",".join(sys.argv[1:])))
