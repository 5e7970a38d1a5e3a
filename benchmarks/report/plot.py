"""Lines over time, as SVG."""

from __future__ import annotations

import math
from collections.abc import Sequence

COLOURS = ("#1f6feb", "#d97706", "#dc2626", "#059669", "#7c3aed")
_WIDTH, _HEIGHT, _LEFT, _TOP = 720, 300, 60, 20


def plot(
    samples: Sequence[tuple[float, Sequence[float]]],
    names: Sequence[str],
    unit_of_x: str,
    unit_of_y: str,
    warm_up: float = 0.0,
) -> str:
    """One line for each of `names`: their values at each x; the part `warm_up` of it is shaded."""
    last = samples[-1][0]
    step = _step(max(max(each) for _, each in samples) / 4)
    most = step * math.ceil(max(max(each) for _, each in samples) / step)

    def x(at: float) -> float:
        return _LEFT + at / last * (_WIDTH - _LEFT - 20)

    def y(value: float) -> float:
        return _TOP + (1 - value / most) * (_HEIGHT - _TOP - 40)

    size = f'viewBox="0 0 {_WIDTH} {_HEIGHT}" font-family="sans-serif" font-size="12"'
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size}>',
        f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="white"/>',
    ]
    if warm_up:
        shaded = f'width="{x(last * warm_up) - _LEFT:.0f}" height="{y(0) - _TOP:.0f}"'
        lines += [
            f'<rect x="{_LEFT}" y="{_TOP}" {shaded} fill="#f3f4f6"/>',
            f'<text x="{_LEFT + 6}" y="{_TOP + 14}" fill="#6b7280">warm-up</text>',
        ]
    for part in range(round(most / step) + 1):
        value = step * part
        lines.append(
            f'<line x1="{_LEFT}" x2="{_WIDTH - 20}" y1="{y(value):.1f}" y2="{y(value):.1f}" '
            f'stroke="#e5e7eb"/><text x="{_LEFT - 6}" y="{y(value) + 4:.1f}" '
            f'text-anchor="end">{value:g}</text>'
        )
    for place, name in enumerate(names):
        colour = COLOURS[place % len(COLOURS)]
        points = " ".join(f"{x(at):.1f},{y(each[place]):.1f}" for at, each in samples)
        line = f'stroke="{colour}" stroke-width="1.5" points="{points}"'
        lines.append(f'<polyline fill="none" {line}/>')
        label = f'x="{_LEFT + 100 + 130 * place}" y="{_HEIGHT - 8}" fill="{colour}"'
        lines.append(f"<text {label}>{name}</text>")
    end = f'x="{_WIDTH - 20}" y="{_HEIGHT - 8}" text-anchor="end"'
    lines.append(f'<text x="6" y="14">{unit_of_y}</text><text {end}>{last:.0f} {unit_of_x}</text>')
    return "\n".join([*lines, "</svg>", ""])


def _step(least: float) -> float:
    """The next of 1, 2, 5, 10, 20, ... in whatever power of ten."""
    power: float = 10.0 ** math.floor(math.log10(least))
    return next(each * power for each in (1, 2, 5, 10) if each * power >= least)
