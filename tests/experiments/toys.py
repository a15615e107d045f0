"""Sets of experiments and their CSVs, small and made up."""

import yaml

from sdr.experiments.measured import Line, write_cells
from sdr.experiments.sets import ExperimentSet

TASKS = ("icons", "digits")


def toy_set(*names, reference="base", seeds=(0, 1, 2), **more):
    """A set with rows of these names; `more`: name → fields of the row."""
    rows = [{"name": name, "of": "baseline" if name == reference else "sdr"} | more.get(name, {}) for name in names]
    return ExperimentSet(title="A title", question="A question?", seeds=list(seeds), reference=reference, rows=rows)


def line(row, seed, linear, knn=None, tasks=None, macs=10.0, in_all=10.0, spread=None, verdicts=()):
    """A line whose tasks are `tasks` = (icons, digits), by default one point below and above the mean."""
    knn = linear - 6 if knn is None else knn
    numbers = {"linear": linear, "knn": knn}
    for protocol, mean in (("linear", linear), ("knn", knn)):
        of_tasks = tasks or (mean - 1, mean + 1)
        numbers |= {f"{protocol}.{task}": value for task, value in zip(TASKS, of_tasks)}
    numbers |= {"images": 100.0, "teramacs": macs, "teramacs_in_all": in_all, "seconds": 60.0}
    return Line(
        row,
        seed,
        numbers | ({} if spread is None else {"spread": spread}),
        "d867b3e0aa12",
        "cpu",
        dict(zip(TASKS, verdicts)),
    )


def lines(**scores):
    """Row → linear scores of the seeds 0, 1, …"""
    return [line(row, seed, score) for row, found in scores.items() for seed, score in enumerate(found)]


def write_set(folder, name, of_set):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.yaml").write_text(yaml.safe_dump(of_set.model_dump(), allow_unicode=True))


def write_lines(folder, name, found):
    """As they are collected."""
    lines = []
    for one in found:
        cells = {"row": one.row, "of": "sdr", "seed": one.seed} | one.numbers
        cells |= {f"verdict.{task}": word for task, word in one.verdicts.items()}
        cells |= {"device": one.device, "experiment": f"seed-{one.seed}", "commit": one.commit}
        lines.append({column: str(value) for column, value in cells.items()})
    write_cells(folder / f"{name}.csv", lines)
