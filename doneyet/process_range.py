"""How many worker processes a worker runs: a number, or a range that it chooses from."""

from __future__ import annotations

import re
from typing import NamedTuple

_FORM = re.compile(r"\+?([0-9]{1,6})(?:\.\.([0-9]{1,6}))?")


class Range(NamedTuple):
    """From `least` to `most` processes; the same twice: so many, whatever there is to do."""

    least: int
    most: int

    @property
    def is_fixed(self) -> bool:
        """Whether there is nothing to choose."""
        return self.least == self.most

    def __str__(self) -> str:
        return str(self.most) if self.is_fixed else f"{self.least}..{self.most}"


def parse_range(text: str) -> Range:
    """What `2` or `0..4` means.

    Raises:
        ValueError: it is neither; says what it must be.
    """
    found = _FORM.fullmatch(text)
    if found is None:
        raise ValueError(f"must be a whole number, or a range such as 0..4, not {text[:100]!r}")
    least = int(found[1])
    most = int(found[2] or least)
    if most < max(1, least):
        raise ValueError(f"must be at least 1, or a range such as 0..4, not {text!r}")
    return Range(least, most)
