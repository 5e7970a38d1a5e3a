"""The entries of `*.toml` here: breakages of one rule each, and the tests that hold it."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).parent
ROOT = FOLDER.parents[1]
MEMBERS = {"rule", "file", "find", "replace", "tests"}


@dataclass(frozen=True)
class Mutant:
    """One breakage: in `file`, `find` becomes `replace`; `tests` must fail then."""

    area: str
    rule: str
    file: str
    find: str
    replace: str
    tests: tuple[str, ...]

    def apply(self, root: Path) -> None:
        """Breaks the copy of the project at `root`.

        Raises:
            ValueError: `find` does not stand exactly once in the file.
        """
        path = root / self.file
        text = path.read_text()
        if (count := text.count(self.find)) != 1:
            raise ValueError(f"{self.file} has what is to be replaced {count} times, not once")
        path.write_text(text.replace(self.find, self.replace))


def read_mutants() -> list[Mutant]:
    """All entries, in the order of the files' names.

    Raises:
        ValueError: an entry has other members than it should.
    """
    found = []
    for path in sorted(FOLDER.glob("*.toml")):
        for entry in tomllib.loads(path.read_text()).get("mutant", []):
            if set(entry) != MEMBERS:
                raise ValueError(f"{path.name}: {entry.get('rule')!r} must have {sorted(MEMBERS)}")
            found.append(Mutant(path.stem, **{**entry, "tests": tuple(entry["tests"])}))
    return found
