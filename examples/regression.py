"""Fits a curve to noisy points, and predicts with it: `python examples/regression.py URL`.

It needs nothing of doneyet's but a running server: `make serve`.
"""

from __future__ import annotations

import random
import sys
import time
from typing import Any

import requests


def ask(url: str, endpoint: str, question: dict[str, Any]) -> dict[str, Any]:
    """The answer, polled until it is done."""
    while True:
        reply = requests.post(f"{url}/{endpoint}", json=question, timeout=30)
        reply.raise_for_status()
        if reply.status_code == 200:  # 202: not done yet
            answer: dict[str, Any] = reply.json()
            return answer
        time.sleep(0.1)


def main(url: str) -> None:
    """Points around y = 1 + 2x - 0.5x^2, half of them to fit with, half to score with."""
    x = [random.uniform(-3, 3) for _ in range(200)]
    y = [1 + 2 * at - 0.5 * at * at + random.gauss(0, 0.2) for at in x]
    known = {"x": x[:100], "y": y[:100]}
    fit = ask(url, "fit", {**known, "kind": "polynomial", "degree": 2})
    terms = " ".join(f"{each['value']:+.2f} {each['term']}" for each in fit["coefficients"])
    print(f"y = {fit['constant']:.2f} {terms}")
    score = ask(url, "score", {"model": fit["fitted"], "x": x[100:], "y": y[100:]})
    print(f"R^2 {score['r2']:.3f}, RMSE {score['rmse']:.3f} on points that it has not seen")
    predicted = ask(url, "predict", {"model": fit["fitted"], "x": [0, 1, 2]})
    print("at 0, 1, 2:", ", ".join(f"{value:.2f}" for value in predicted["y"]))


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "http://localhost:8080")
