"""Code blocks and links of a Markdown file."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

_FENCE = re.compile(r"```(\w*)")
_HEADING = re.compile(r"#+ (.*)")
_LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)")


@dataclass(frozen=True)
class Block:
    """A fenced block: its language, its text, and the heading that it stands below."""

    language: str
    text: str
    heading: str
    line: int


def blocks(path: Path) -> list[Block]:
    """All fenced blocks, in order."""
    found: list[Block] = []
    heading, opened, lines = "", None, list[str]()
    for number, line in enumerate(path.read_text().splitlines(), start=1):
        if opened is not None:
            if line == "```":
                found.append(Block(opened, "\n".join(lines) + "\n", heading, number - len(lines)))
                opened = None
            else:
                lines.append(line)
        elif match := _FENCE.fullmatch(line):
            opened, lines = match[1], []
        elif match := _HEADING.fullmatch(line):
            heading = match[1]
    assert opened is None, f"{path}: a block is not closed"
    return found


def links(path: Path) -> list[str]:
    """Where the links outside of code lead."""
    text = re.sub(r"```.*?```", "", path.read_text(), flags=re.DOTALL)
    return _LINK.findall(re.sub(r"`[^`]*`", "", text))


def anchors(path: Path) -> set[str]:
    """What `#...` may be in a link to the file."""
    text = re.sub(r"```.*?```", "", path.read_text(), flags=re.DOTALL)
    return {
        re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
        for heading in re.findall(r"^#+ (.*)$", text, flags=re.MULTILINE)
    }
