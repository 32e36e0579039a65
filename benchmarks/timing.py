"""What the benchmarks share: taking turns, so that a busy machine slows all of them alike, and a small table."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from statistics import median


def run(command: Sequence[str], *, cwd: str | None = None, env: Mapping[str, str] | None = None) -> float:
    """Seconds that a command takes. Ends the benchmark with its output when it fails."""
    began = time.perf_counter()
    done = subprocess.run(command, cwd=cwd, env=env, stdin=subprocess.DEVNULL, capture_output=True, check=False)
    seconds = time.perf_counter() - began
    if done.returncode != 0:
        raise SystemExit(f"{' '.join(command)} ended with {done.returncode}:\n{done.stderr.decode(errors='replace')}")
    return seconds


def take_turns(actions: Mapping[str, Callable[[], float]], rounds: int) -> dict[str, list[float]]:
    """Run every action once per round, one after another."""
    seconds: dict[str, list[float]] = {name: [] for name in actions}
    for _ in range(rounds):
        for name, action in actions.items():
            seconds[name].append(action())
    return seconds


def show(seconds: Mapping[str, Sequence[float]], baseline: str) -> None:
    """Median, smallest and largest in ms, and the difference and ratio of medians to the baseline's."""
    base = median(seconds[baseline])
    width = max(map(len, seconds))
    print(f"{'':<{width}}  {'median':>9}  {'smallest':>9}  {'largest':>9}  {'over':>9}  {'ratio':>8}")
    for name, values in seconds.items():
        middle = median(values)
        print(
            f"{name:<{width}}  {_ms(middle)}  {_ms(min(values))}  {_ms(max(values))}  {_ms(middle - base)}"
            f"  {middle / base:>8.3f}"
        )


def _ms(seconds: float) -> str:
    return f"{seconds * 1000:>6.0f} ms"
