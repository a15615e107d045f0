"""What the tables of experiments say in words: their columns, notes, and numbers that may be missing."""

from dataclasses import dataclass

from sdr.experiments.comparison import Against, Comparison
from sdr.experiments.measured import PROTOCOLS
from sdr.experiments.paired import Difference
from sdr.report.tables import signed
from sdr.report.units import decimal

ENOUGH = 3  # seeds
LEVEL = 0.05  # of the corrected test, below which a difference is set in bold
READING = (
    "Scores are means over the tasks, in per cent, then over training seeds; ± is the sample standard deviation over the seeds. "
    "Δ is the row minus the reference row with the same seed, averaged; below it the 95 % interval of that mean by Student’s t. "
    "Only seeds that both rows have are paired. What was not measured is shown as a dash.",
    "p is that of a two-sided paired t-test, corrected over the rows of the set and the protocol by Holm’s method; “raw” is the "
    "uncorrected one. Bold: p below 5 %, corrected. With three seeds a t-test has little power: a difference must be 2.5 times its own standard deviation "
    "over the seeds to pass 5 %, so a large p is no evidence that two rows are equal. One seed, or the same difference with every seed, "
    "gives no test. “Tasks better” counts tasks on which the row’s mean over the paired seeds is above the reference’s.",
    "Compute is counted, in 10¹² multiply-adds (TMAC), of the row’s own training; “with baseline” adds the baseline’s, whose "
    "clusters SDR needs. Time is measured on whatever machine the row ran on, perhaps beside other trainings. "
    "Below each, the multiple of the reference’s. Spread is the standard deviation of routing’s score over the sub-nets, points.",
    "The paper’s numbers are of other tasks, another corpus and a larger network, one run each: signs and orders can be compared, "
    "heights cannot.",
)


@dataclass(frozen=True)
class Columns:
    """Which columns the main table of a set has, the row's name left out."""

    paper: list[str]
    """Of linear, knn, hours: those that the paper has of any row."""
    spread: bool
    by_task: bool
    """Whether the set is about tasks, so that its table of tasks is open."""

    @property
    def groups(self) -> list[tuple[str, int]]:
        """Heading and number of columns."""
        found = [(label, 4 + (p in self.paper)) for p, label in zip(PROTOCOLS, ("linear, %", "kNN, %"))]
        found += [("sub-nets", 1)] if self.spread else []
        return [*found, ("compute", 3 + ("hours" in self.paper))]

    @property
    def headings(self) -> list[tuple[str, bool]]:
        """Heading and whether it is the first of its group."""
        found = []
        for protocol in PROTOCOLS:
            found += [("mean", True), ("Δ", False), ("p", False), ("tasks better", False)]
            found += [("paper", False)] if protocol in self.paper else []
        found += [("spread", True)] if self.spread else []
        found += [("TMAC", True), ("with baseline", False), ("time", False)]
        return found + ([("paper, h", False)] if "hours" in self.paper else [])


def columns(found: Comparison) -> Columns:
    """What a set has something to show in."""
    paper = [name for name in (*PROTOCOLS, "hours") if any(name in row.paper for row in found.rows)]
    by_task = any("pretrain.part" in row.row.set for row in found.rows)
    return Columns(paper, any(row.spread.n for row in found.rows), by_task)


def facts(found: list[Comparison]) -> list[tuple[str, str]]:
    """How much has been measured."""
    rows = [row for one in found for row in one.rows]
    enough = sum(len(row.seeds) >= ENOUGH for row in rows)
    return [
        ("sets with results", f"{sum(one.measured for one in found)} of {len(found)}"),
        ("rows with results", f"{sum(bool(row.seeds) for row in rows)} of {len(rows)}"),
        (f"rows with {ENOUGH} seeds or more", f"{enough} of {len(rows)}"),
    ]


def p_value(p: float | None) -> str:
    """`0.023`, `< 0.001`; a dash where there was no test."""
    return "–" if p is None else "< 0.001" if p < 0.001 else f"{p:.3f}"


def times(value: float | None) -> str:
    """`× 2.50`; nothing where the reference or the row is missing."""
    return "" if value is None else f"× {decimal(value)}"


def interval(found: Difference) -> str:
    """`−0.35 to +1.20`; why there is none otherwise."""
    return " to ".join(map(signed, found.interval)) if found.interval else found.why


def evidence(against: Against) -> str:
    """The look of a difference: bold if the corrected test holds it for real, coloured too if it is a gain."""
    if against.p_holm is None or against.p_holm >= LEVEL:
        return ""
    return "gain up" if against.difference.sample.mean > 0 else "gain"


def signed_or_dash(value: float | None) -> str:
    """As `signed`; a dash for what is not known."""
    return "–" if value is None else signed(value)
