"""Medians, their spread, and what a ratio of two medians is worth. Samples come in rounds: [[s, s], [s, s], ...]."""
import random
import statistics
from dataclasses import dataclass

Rounds = list[list[float]]
RESAMPLES = 2000
ROUNDS_NEEDED = 3  # fewer say nothing of how one minute differs from the next


def pooled(rounds: Rounds) -> list[float]:
    return [sample for samples in rounds for sample in samples]


@dataclass(frozen=True)
class Summary:
    median: float
    low: float  # quartiles
    high: float
    least: float
    count: int


def summary(rounds: Rounds) -> Summary:
    samples = sorted(pooled(rounds))
    if not samples:
        raise ValueError("no samples")
    if len(samples) == 1:
        return Summary(samples[0], samples[0], samples[0], samples[0], 1)
    low, _, high = statistics.quantiles(samples, n=4, method="inclusive")
    return Summary(statistics.median(samples), low, high, samples[0], len(samples))


def resampled_median(rounds: Rounds, rng: random.Random) -> float:
    """Rounds are drawn, and samples within each: those of one round share its minute and are not independent."""
    samples = []
    for chosen in rng.choices(rounds, k=len(rounds)):
        samples += rng.choices(chosen, k=len(chosen))
    return statistics.median(samples)


@dataclass(frozen=True)
class Ratio:
    value: float  # median of the one over median of the other
    low: float  # 95 % interval of the bootstrap
    high: float
    enough: bool  # rounds to speak of an interval

    @property
    def shows_a_difference(self) -> bool:
        return self.enough and not self.low <= 1 <= self.high


def ratio(over: Rounds, under: Rounds, seed: int = 0) -> Ratio:
    """median(over) / median(under). The same samples give the same interval."""
    over, under = [r for r in over if r], [r for r in under if r]
    value = statistics.median(pooled(over)) / statistics.median(pooled(under))
    rng = random.Random(seed)
    drawn = sorted(resampled_median(over, rng) / resampled_median(under, rng) for _ in range(RESAMPLES))
    low, high = drawn[round(0.025 * RESAMPLES)], drawn[round(0.975 * RESAMPLES) - 1]
    return Ratio(value, low, high, min(len(over), len(under)) >= ROUNDS_NEEDED)
