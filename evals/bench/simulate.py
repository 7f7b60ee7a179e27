"""Simulates replicas under load: `python -m bench.simulate --help`, with evals/ on the path; needs nothing installed.

A replica has some cores and one Python interpreter. A reply is read (Python), waits for an encoder pass, and is
finished (Python); a pass takes along all texts that wait, up to 64, and costs a fixed part and a part for each. One
core at a time runs Python, the others passes. Visitors come at random; a news item multiplies them for a while.
"""

from __future__ import annotations

import argparse
import heapq
import math
import random
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

_MOST_TEXTS = 64  # of a pass, as in askdmt/passes.py
_SHAPE = 4.0  # of the gamma distribution of service times: a standard deviation of half the mean


@dataclass(frozen=True)
class Costs:
    """What a reply costs, in seconds of a core."""

    read: float
    finish: float
    a_pass: float
    a_text: float
    texts: float  # of a reply, on average
    cores: int


@dataclass
class Replica:
    """One replica, simulated event by event."""

    costs: Costs
    chance: random.Random
    python: deque[tuple[str, float]] = field(default_factory=deque)  # (stage, when the visitor came)
    encode: deque[tuple[int, float]] = field(default_factory=deque)  # (texts, when the visitor came)
    events: list[tuple[float, int, str, object]] = field(default_factory=list)
    python_runs: bool = False
    busy: int = 0  # cores
    worked: float = 0.0  # seconds of all cores
    waits: list[float] = field(default_factory=list)

    def run(self, arrivals: Sequence[float]) -> None:
        """Let visitors come at these times, and go on until all have their reply."""
        for came in arrivals:
            self._at(came, "comes", came)
        while self.events:
            now, _, what, who = heapq.heappop(self.events)
            getattr(self, f"_{what}")(now, who)
            self._start(now)

    def _start(self, now: float) -> None:
        """Give free cores work: passes first, since more can share Python's turn later."""
        while self.busy < self.costs.cores:
            if self.python and not self.python_runs:
                stage, came = self.python.popleft()
                self.python_runs = True
                self._work(now, getattr(self.costs, stage), stage, came)
            elif self.encode:
                together = [self.encode.popleft()]
                while self.encode and sum(texts for texts, _ in together) + self.encode[0][0] <= _MOST_TEXTS:
                    together.append(self.encode.popleft())
                texts = sum(texts for texts, _ in together)
                self._work(now, self.costs.a_pass + texts * self.costs.a_text, "encoded", together)
            else:
                return

    def _work(self, now: float, mean: float, then: str, who: object) -> None:
        seconds = self.chance.gammavariate(_SHAPE, mean / _SHAPE)
        self.busy += 1
        self.worked += seconds
        self._at(now + seconds, then, who)

    def _at(self, when: float, what: str, who: object) -> None:
        heapq.heappush(self.events, (when, len(self.waits) + self.chance.getrandbits(30), what, who))

    # What happens

    def _comes(self, _: float, came: object) -> None:
        self.python.append(("read", float(came)))  # type: ignore[arg-type]

    def _read(self, _: float, came: object) -> None:
        self.busy, self.python_runs = self.busy - 1, False
        texts = 1 + (self.chance.random() < self.costs.texts - 1) * max(1, round(self.costs.texts - 1))
        self.encode.append((texts, float(came)))  # type: ignore[arg-type]

    def _encoded(self, _: float, together: object) -> None:
        self.busy -= 1
        self.python.extend(("finish", came) for _, came in together)  # type: ignore[attr-defined]

    def _finish(self, now: float, came: object) -> None:
        self.busy, self.python_runs = self.busy - 1, False
        self.waits.append(now - float(came))  # type: ignore[arg-type]


def arrivals(rate: float, seconds: float, burst: float, chance: random.Random) -> list[float]:
    """Return when visitors come: at random, `burst` times as many during the middle fifth."""
    times, now = [], 0.0
    most = rate * burst
    while (now := now + chance.expovariate(most)) < seconds:
        in_burst = 0.4 * seconds <= now < 0.6 * seconds
        if in_burst or chance.random() < 1 / burst:
            times.append(now)
    return times


def simulate(costs: Costs, rate: float, seconds: float, burst: float = 1.0, seed: int = 1) -> Replica:
    """Return a replica that has answered `rate` visitors a second for some seconds."""
    chance = random.Random(seed)  # noqa: S311
    replica = Replica(costs, chance)
    replica.run(arrivals(rate, seconds, burst, chance))
    return replica


def percentile(waits: Sequence[float], share: float) -> float:
    """Return the wait in seconds that so large a share did not exceed."""
    ordered = sorted(waits)
    return ordered[int(share * (len(ordered) - 1))] if ordered else 0.0


def most_it_carries(costs: Costs, patience: float, seconds: float, burst: float) -> float:
    """Return the replies a second at which the slowest in a hundred wait `patience` seconds."""
    low, high = 0.0, 1.0
    while percentile(simulate(costs, high, seconds, burst).waits, 0.99) <= patience:
        low, high = high, high * 2
    for _ in range(8):
        middle = (low + high) / 2
        if percentile(simulate(costs, middle, seconds, burst).waits, 0.99) <= patience:
            low = middle
        else:
            high = middle
    return low


def main(arguments: Sequence[str] | None = None) -> int:
    """Print what one replica carries, and how many the loads need."""
    given = _arguments(arguments)
    costs = Costs(
        given.read / 1000, given.finish / 1000, given.a_pass / 1000, given.a_text / 1000, given.texts, given.cores
    )  # fmt: skip
    carried = most_it_carries(costs, given.patience, given.seconds, given.burst)
    print(  # noqa: T201
        f"One replica of {costs.cores} cores carries {carried:.1f} replies a second, {given.burst:g} times that during "
        f"a news item, with 99 in 100 waiting {given.patience:g} s at most."
    )
    print("\n| replies a second | replicas | busy | p50, s | p95, s | p99, s | money per million replies |")  # noqa: T201
    print("| --- | --- | --- | --- | --- | --- | --- |")  # noqa: T201
    for load in given.loads:
        replicas = max(2, math.ceil(load * given.headroom / carried))
        one = simulate(costs, load / replicas, given.seconds, given.burst)
        waits = [percentile(one.waits, share) for share in (0.5, 0.95, 0.99)]
        busy = one.worked / (given.seconds * costs.cores)
        money = replicas * given.price / 3600 / load * 1e6
        print(  # noqa: T201
            f"| {load:,} | {replicas:,} | {busy:.0%} | {' | '.join(f'{wait:.3f}' for wait in waits)} | {money:.2f} |"
        )
    return 0


def _arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.simulate", description=str(__doc__).splitlines()[0])
    cost = parser.add_argument_group("costs of a reply, in milliseconds of one core, as docs/scaling.md measures them")
    cost.add_argument("--read", type=float, default=1.0, help="Python before the encoder, HTTP included")
    cost.add_argument("--finish", type=float, default=2.0, help="Python after it")
    cost.add_argument("--a-pass", type=float, default=5.0, help="a pass, however few texts it has")
    cost.add_argument("--a-text", type=float, default=12.5, help="each text of a pass")
    cost.add_argument("--texts", type=float, default=1.36, help="texts of a reply")
    cost.add_argument("--cores", type=int, default=2, help="of a replica")
    parser.add_argument("--loads", type=int, nargs="+", default=[10, 1_000, 100_000], help="replies a second")
    parser.add_argument("--burst", type=float, default=3.0, help="times as many visitors after a news item")
    parser.add_argument("--patience", type=float, default=1.0, help="seconds that 99 in 100 may wait")
    parser.add_argument("--headroom", type=float, default=1.3, help="times the replicas that would just do")
    parser.add_argument("--price", type=float, default=0.09, help="of a replica's machine, an hour")
    parser.add_argument("--seconds", type=float, default=120.0, help="that are simulated")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    raise SystemExit(main())
