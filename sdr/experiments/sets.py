"""A set of experiments: one table or figure of the paper as rows of changed parameters, `experiments/NAME.yaml`.

A row is measured once a seed. What has to run for it is an *experiment*: the changed parameters, the seed, and the
stages that end in the row's scores. Rows and sets that change the same share the experiment.
"""

import hashlib
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError, model_validator
from ruamel.yaml import YAML, YAMLError

from sdr.base.errors import UserError
from sdr.base.params import Section

FOLDER = Path("experiments")
ROUTED = ("sdr", "ensemble", "votes")  # of the sub-nets that routing chose
OWN = ("baseline", "w0", "adapted", *ROUTED)  # networks of a run; any other name is one of `pruned`
_LONGEST = 80  # characters of an experiment's name before the digest


class Row(Section):
    """One line of a table."""

    name: str
    """As the table shows it."""
    of: str = Field(pattern=r"^\w+$")
    """Whose scores: baseline, w0, sdr, ensemble, votes, adapted (of `adapt`, each task by its own), or a name in `pruned`."""
    set: dict[str, Any] = {}
    """Parameters of params.yaml that change or are added, names with dots → value."""
    paper: dict[str, float] = {}
    """The paper's numbers for this row: linear, knn (mean over its tasks, %), hours."""
    paper_row: str = ""
    """What the paper calls it."""


class ExperimentSet(Section):
    """A table or figure."""

    title: str
    question: str
    """What it is to answer, and what the paper found."""
    seeds: list[int] = Field(min_length=1)
    reference: str
    """Name of the row that the others are compared with, seed by seed."""
    profile: str = ""
    """Whose parameters every row starts from, in place of those of params.yaml: a file of profiles/."""
    set: dict[str, Any] = {}
    """What every row changes, as a row's own `set`, which wins."""
    rows: list[Row] = Field(min_length=1)

    @model_validator(mode="after")
    def _check(self) -> "ExperimentSet":
        names = [row.name for row in self.rows]
        if len(set(names)) < len(names):
            raise ValueError("two rows have the same name")
        if self.reference not in names:
            raise ValueError(f"reference: no row is called {self.reference!r}")
        return self


@dataclass(frozen=True)
class Experiment:
    """What runs once: parameters, and the networks whose scores it must reach."""

    changes: dict[str, Any]
    """Parameters that differ from params.yaml, names with dots → value."""
    networks: tuple[str, ...]
    """Sorted."""
    profile: str = ""
    """A file of profiles/ that `changes` come on top of."""
    name: str = field(init=False)

    def __post_init__(self):
        object.__setattr__(self, "name", _name(self.changes, self.networks, self.profile))


def read_set(name: str, folder: Path = FOLDER) -> ExperimentSet:
    """Read a set by its name.

    Raises:
        UserError: there is none, or it is not valid.
    """
    file = folder / f"{name}.yaml"
    try:
        return ExperimentSet(**YAML(typ="safe").load(file.read_text(encoding="utf-8")))
    except FileNotFoundError:
        raise UserError(f"no set of experiments `{name}`; there are {', '.join(set_names(folder))}") from None
    except (YAMLError, TypeError) as error:
        raise UserError(f"{file}: not valid: {error}") from None
    except ValidationError as error:
        lines = [f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors()]
        raise UserError(f"{file}: " + "; ".join(lines)) from None


def set_names(folder: Path = FOLDER) -> list[str]:
    """The sets that there are."""
    return sorted(file.stem for file in folder.glob("*.yaml"))


def experiment_of(of_set: ExperimentSet, row: Row, seed: int) -> Experiment:
    """The experiment that measures a row with a seed."""
    together = {other.of for other in of_set.rows if other.set == row.set}
    return Experiment(of_set.set | row.set | {"seed": seed}, tuple(sorted(together)), of_set.profile)


def experiments(of_set: ExperimentSet) -> list[Experiment]:
    """All experiments of a set, each once, row by row: those that run side by side then share no unfinished stage."""
    every = [experiment_of(of_set, row, seed) for row in of_set.rows for seed in of_set.seeds]
    return list({experiment.name: experiment for experiment in every}.values())


def targets(experiment: Experiment, tasks: Iterable[str]) -> list[str]:
    """The stages of dvc.yaml that end in its scores on these tasks: not the demo of detection, nor a page."""
    wanted = {"baseline", *experiment.networks}  # every other training needs the baseline: it is cheap
    alone = wanted - {*ROUTED, "adapted"}
    stages = {f"evaluate@{task}-{network}" for task in tasks for network in alone}
    if wanted & set(ROUTED):
        stages.add("evaluate_routed")
    if "adapted" in wanted:
        stages.add("evaluate_adapted")
    return sorted(stages)


def _name(changes: dict[str, Any], networks: tuple[str, ...], profile: str) -> str:
    """A name that says what changes, and a digest of all of it: `n_subnets-4_seed-0_3f2a9c1b`."""
    parts = [profile] if profile else []
    parts += [f"{k.rsplit('.', 1)[-1]}-{value}" for k, value in changes.items() if not isinstance(value, dict | list)]
    text = re.sub(r"[^\w.-]+|\.{2,}", "-", "_".join(parts))[:_LONGEST].strip(".-_")
    digest = hashlib.sha256(json.dumps([changes, networks, profile], sort_keys=True).encode()).hexdigest()
    return f"{text}_{digest[:8]}"
