"""Two rows measured with the same seeds: what a seed does to both cancels in the difference.

With d_i = ours_i − reference_i of the seeds i = 1 … n that both have:

    mean      d̄ = Σ d_i / n
    std       s = √(Σ (d_i − d̄)² / (n − 1))
    test      t = d̄ / (s / √n) against Student's t of n − 1 degrees of freedom, two-sided (Student 1908)
    interval  d̄ ± t_{0.975, n−1} · s / √n

The test takes differences to be normal, and needs n ≥ 2 and s > 0. With three seeds t_{0.975, 2} = 4.30: only differences of more
than 2.5 s pass 5 %, so most true ones do not. What fails the test is not shown to be equal.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from statistics import fmean, stdev

from scipy import stats

LEVEL = 0.95
_ROUNDING = 1e-9  # of the largest score: differences that vary by less do so because of floating point


@dataclass(frozen=True)
class Sample:
    """Scores of one row: seed → value."""

    values: dict[int, float]

    @property
    def n(self) -> int:
        return len(self.values)

    @property
    def mean(self) -> float | None:
        """None without a seed."""
        return fmean(self.values.values()) if self.values else None

    @property
    def std(self) -> float | None:
        """Of the sample (n − 1 in the denominator); None with fewer than two seeds."""
        return stdev(self.values.values()) if self.n > 1 else None

    @property
    def reach(self) -> float | None:
        """Half of the mean's 95 % interval by Student's t; None with fewer than two seeds."""
        if self.std is None:
            return None
        return float(stats.t.ppf((1 + LEVEL) / 2, self.n - 1)) * self.std / math.sqrt(self.n)


@dataclass(frozen=True)
class Difference:
    """A row minus the reference, of the seeds that both have, in the unit of the scores."""

    sample: Sample
    p: float | None
    """Of the paired t-test, two-sided, not corrected; None where there is none."""
    interval: tuple[float, float] | None
    """95 % of the mean difference; None where there is none."""
    why: str
    """Why there is no test, "" if there is one."""


def difference(ours: Mapping[int, float], reference: Mapping[int, float]) -> Difference:
    """Compare seed by seed; seeds that only one of the two has are left out.

    Args:
        ours, reference: seed → score.
    """
    seeds = sorted(ours.keys() & reference.keys())
    sample = Sample({seed: ours[seed] - reference[seed] for seed in seeds})
    if sample.n < 2:
        return Difference(sample, None, None, "no seed in common" if sample.n == 0 else "one seed")
    largest = max(abs(score) for seed in seeds for score in (ours[seed], reference[seed]))
    if sample.std <= _ROUNDING * largest:
        return Difference(sample, None, None, "the same difference with every seed")
    p = float(stats.ttest_rel([ours[seed] for seed in seeds], [reference[seed] for seed in seeds]).pvalue)
    return Difference(sample, p, (sample.mean - sample.reach, sample.mean + sample.reach), "")


def holm(found: Mapping[str, float | None]) -> dict[str, float | None]:
    """Correct p-values for their number m, so that the chance of any false one stays below the level (Holm 1979).

    With p_(1) ≤ … ≤ p_(m): p̃_(i) = max over j ≤ i of min(1, (m − j + 1) · p_(j)). Holds whatever the dependence between
    the tests, and here they share a reference.

    Args:
        found: name → p; None where there was no test, which does not count.

    Returns:
        name → corrected p, None where it was None.
    """
    ordered = sorted((p, name) for name, p in found.items() if p is not None)
    corrected, least = {}, 0.0
    for i, (p, name) in enumerate(ordered):
        least = max(least, min(1.0, (len(ordered) - i) * p))
        corrected[name] = least
    return {name: corrected.get(name) for name in found}
