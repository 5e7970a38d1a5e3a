"""`python -m benchmarks.autoscaling`: draws docs/explanation/autoscaling."""

from __future__ import annotations

from pathlib import Path

from benchmarks.autoscaling.report import picture
from benchmarks.autoscaling.scenarios import ALL

FOLDER = Path(__file__).parents[2] / "docs" / "explanation" / "autoscaling"


def main() -> None:
    """Simulates each scenario."""
    FOLDER.mkdir(exist_ok=True)
    for scenario in (make() for make in ALL):
        path = FOLDER / f"{scenario.name}.svg"
        path.write_text(picture(scenario, scenario.run()))
        print(f"wrote {path.name}")


if __name__ == "__main__":
    main()
