"""A set of experiments, row by row: our scores over the seeds, their difference to the reference row, the paper's beside them.

Differences are paired by seed (`paired`), p-values of a protocol corrected over the rows of the set (Holm 1979). What has not
been measured is there, and empty.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

from sdr.experiments.measured import COSTS, PROTOCOLS, Line, read_lines
from sdr.experiments.paired import Difference, Sample, difference, holm
from sdr.experiments.sets import ExperimentSet, Row, read_set, set_names


@dataclass(frozen=True)
class Against:
    """A row against the reference, by one protocol."""

    difference: Difference
    p_holm: float | None
    """The test's p, corrected over the rows of the set."""
    tasks: dict[str, Difference]
    """Task → difference, of tasks that both have."""

    @property
    def better(self) -> tuple[int, int] | None:
        """On how many tasks the mean over the seeds that both rows have is higher, of how many; None if of none."""
        means = [found.sample.mean for found in self.tasks.values() if found.sample.n]
        return (sum(mean > 0 for mean in means), len(means)) if means else None


@dataclass(frozen=True)
class RowResult:
    """A row of the table; a sample without seeds is one that has not been measured."""

    row: Row
    is_reference: bool
    seeds: list[int]
    """That were measured."""
    missing: list[int]
    """That the set asks for and that were not."""
    scores: dict[str, Sample]
    """Protocol → means over tasks, %."""
    tasks: dict[str, dict[str, Sample]]
    """Protocol → task → scores, %."""
    spread: Sample
    """Standard deviation of routing's score over the sub-nets, points; empty where nothing was routed."""
    against: dict[str, Against]
    """Protocol → comparison; empty for the reference."""
    cost: dict[str, float | None]
    """Name in `COSTS` → mean over seeds: images, 10¹² multiply-adds (teramacs), with the baseline's, seconds."""
    times: dict[str, float | None]
    """The same, divided by the reference's."""
    paper: dict[str, float]
    """The paper's linear, knn (%), hours."""
    paper_difference: dict[str, float]
    """The paper's row minus its reference: protocol → points, where it has both."""


@dataclass(frozen=True)
class Comparison:
    """A set and what was found."""

    name: str
    of_set: ExperimentSet
    rows: list[RowResult]
    task_names: list[str]
    commits: list[str]
    unknown: list[str]
    """Rows that were measured and that the set no longer has."""

    @property
    def measured(self) -> bool:
        return any(row.seeds for row in self.rows)

    @property
    def reference(self) -> RowResult:
        return next(row for row in self.rows if row.is_reference)


def read_all(sets: Path, measured: Path) -> list[Comparison]:
    """All sets of a folder with what was measured of them: the paper's figures and tables, its other claims, the rest.

    Raises:
        UserError: a set or a table is not valid.
    """
    found = [compare(name, read_set(name, sets), read_lines(measured / f"{name}.csv")) for name in set_names(sets)]
    return sorted(found, key=_order)


def compare(name: str, of_set: ExperimentSet, lines: list[Line]) -> Comparison:
    """Put together the rows of a set and what was measured of them."""
    by_row = {row.name: {line.seed: line for line in lines if line.row == row.name} for row in of_set.rows}
    tasks = _unique(c.partition(".")[2] for line in lines for c in line.numbers if c.startswith("linear."))
    base = next(row for row in of_set.rows if row.name == of_set.reference)
    against = {protocol: _against(by_row, base.name, protocol, tasks) for protocol in PROTOCOLS}
    of_base = {column: _mean(by_row[base.name], column) for column in COSTS}
    rows = []
    for row in of_set.rows:
        mine = by_row[row.name]
        cost = {column: _mean(mine, column) for column in COSTS}
        rows.append(
            RowResult(
                row=row,
                is_reference=row is base,
                seeds=sorted(mine),
                missing=[seed for seed in of_set.seeds if seed not in mine],
                scores={protocol: Sample(_values(mine, protocol)) for protocol in PROTOCOLS},
                tasks={p: {task: Sample(_values(mine, f"{p}.{task}")) for task in tasks} for p in PROTOCOLS},
                spread=Sample(_values(mine, "spread")),
                against={} if row is base else {p: against[p][row.name] for p in PROTOCOLS},
                cost=cost,
                times={c: cost[c] / of_base[c] if cost[c] is not None and of_base[c] else None for c in COSTS},
                paper=row.paper,
                paper_difference={
                    p: row.paper[p] - base.paper[p]
                    for p in PROTOCOLS
                    if row is not base and p in row.paper and p in base.paper
                },
            )
        )
    return Comparison(
        name,
        of_set,
        rows,
        tasks,
        _unique(line.commit for line in lines),
        _unique(x.row for x in lines if x.row not in by_row),
    )


def _order(found: Comparison) -> tuple[bool, bool, str]:
    of_paper = any(row.paper_row for row in found.of_set.rows)
    return not found.name.startswith(("fig", "table")), not of_paper, found.name


def _against(by_row: dict[str, dict[int, Line]], base: str, protocol: str, tasks: list[str]) -> dict[str, Against]:
    """Row → its comparison with the row `base`."""

    def versus(name: str, column: str) -> Difference:
        return difference(_values(by_row[name], column), _values(by_row[base], column))

    whole = {name: versus(name, protocol) for name in by_row if name != base}
    corrected = holm({name: found.p for name, found in whole.items()})
    return {
        name: Against(found, corrected[name], {task: versus(name, f"{protocol}.{task}") for task in tasks})
        for name, found in whole.items()
    }


def _values(lines: dict[int, Line], column: str) -> dict[int, float]:
    return {seed: line.numbers[column] for seed, line in lines.items() if column in line.numbers}


def _mean(lines: dict[int, Line], column: str) -> float | None:
    values = _values(lines, column).values()
    return fmean(values) if values else None


def _unique(names: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(name for name in names if name))
