"""What ran when: which runs of stages the report shows, and on which axis of time."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from sdr.base.run_log import StageRun

PARTS = {  # of the pipeline → its stages, in their order; the report itself is still running when it is written
    "corpus": (
        "manifest_corpus",
        "prepare",
        "manifest",
        "prepare_task",
        "manifest_detection",
        "prepare_detection",
    ),
    "training": ("start", "pretrain", "extract", "cluster", "train_sdr", "calibrate", "adapt"),
    "routing": ("route", "route_detection"),
    "evaluation": (
        "backbone",
        "prune",
        "evaluate",
        "evaluate_routed",
        "evaluate_adapted",
        "check_scores",
        "finetune",
        "finetune_routed",
    ),
}
PART_OF = {stage: part for part, stages in PARTS.items() for stage in stages}

_IDLE = 60.0  # seconds without a run that are cut out of the axis ...
_IDLE_SHARE = 0.02  # ... if they are more than this share of the time in which stages ran


def name_of(run: StageRun) -> str:
    """The stage without its task: `route@digits` → `route`."""
    return run.stage.partition("@")[0]


def part_of(run: StageRun) -> str:
    """The part of the pipeline that a stage belongs to."""
    return PART_OF[name_of(run)]


def last_runs(
    log: Iterable[StageRun], tasks: Iterable[str], sets: Iterable[str], networks: Iterable[str]
) -> list[StageRun]:
    """The last run of each stage that the pipeline has now, in the order in which they started.

    Args:
        log: all runs, in the order in which they ended.
        tasks, sets, networks: names of the tasks, detection sets and networks that `params.yaml` has now.
    """
    labelled, networks = [*tasks, *sets], list(networks)
    keys = {"", *labelled, *networks} | {f"{a}-{b}" for a in labelled for b in networks}
    last = {run.stage: run for run in log if name_of(run) in PART_OF and run.stage.partition("@")[2] in keys}
    return sorted(last.values(), key=lambda run: (run.started, run.stage))


@dataclass(frozen=True)
class Stretch:
    """A time without long breaks; `offset`: seconds that all stretches before it took."""

    start: datetime
    end: datetime
    offset: float


def stretches(runs: list[StageRun]) -> list[Stretch]:
    """Cut the time from the first start to the last end at its long breaks: a run may be days after another.

    Args:
        runs: one at least, in the order in which they started.
    """
    longest_break = max(_IDLE, _IDLE_SHARE * sum(run.seconds for run in runs))
    spans: list[tuple[datetime, datetime]] = []
    for run in runs:
        end = run.started + timedelta(seconds=run.seconds)
        if spans and (run.started - spans[-1][1]).total_seconds() <= longest_break:
            spans[-1] = (spans[-1][0], max(spans[-1][1], end))
        else:
            spans.append((run.started, end))
    found, offset = [], 0.0
    for start, end in spans:
        found.append(Stretch(start, end, offset))
        offset += (end - start).total_seconds()
    return found


def position(moment: datetime, found: list[Stretch]) -> float:
    """Seconds from the first start to `moment`, the breaks left out."""
    stretch = max((s for s in found if s.start <= moment), key=lambda s: s.start)
    return stretch.offset + (moment - stretch.start).total_seconds()
