"""`dvc repro`, told in a line a stage: which of how many, and how long all the rest may take.

python -m tools.repro            what the report depends on
python -m tools.repro ARGS …     whatever `dvc repro` takes

DVC runs within this process and stages write to the same terminal, so errors, Ctrl-C and the exit status are DVC's.
"""

import io
import logging
import re
import sys
from collections.abc import Iterable
from contextlib import redirect_stdout

from sdr.base.run_log import StageRun, log_file, read_log
from sdr.report.units import duration

DEFAULT = ["report"]
# Seconds of a stage in the default run on two quiet cores, until this machine has runs of its own; only their ratios count then.
TYPICAL = {"prepare": 40.0, "pretrain": 130.0, "extract": 10.0, "cluster": 8.0, "train_sdr": 130.0, "calibrate": 12.0}
TYPICAL |= {"route": 12.0, "route_detection": 20.0, "finetune": 12.0, "finetune_routed": 12.0, "report": 10.0}
_OTHER = 4.0  # a manifest, a task's images, an evaluation
_RUNS = "Running stage '%s':"
_ELSEWISE = ("didn't change, skipping", "is cached - skipping run")  # how DVC says that a stage need not run
_NOISE = re.compile(r"\s*(Updating lock|Generating lock|To track the|git add|To enable auto|dvc config|%s %s|$)")


class Told(logging.Filter):
    """Puts one line in place of DVC's about a stage, of those that may run; `log` has earlier runs. All else DVC says stays."""

    def __init__(self, stages: Iterable[str], log: Iterable[StageRun]) -> None:
        super().__init__()
        stages = list(stages)
        measured = {run.stage: run.seconds for run in log if run.status == "ok"}
        known = {stage: measured[stage] for stage in stages if stage in measured}
        usual = {stage: TYPICAL.get(stage.partition("@")[0], _OTHER) for stage in stages}
        pace = sum(known.values()) / max(1.0, sum(usual[stage] for stage in known)) if known else 1.0
        self.left = {stage: known.get(stage, pace * usual[stage]) for stage in stages}
        self.total, self.seen, self.ran = len(stages), 0, 0

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the line is shown, perhaps with other words."""
        words = str(record.msg)
        if words == _RUNS:
            record.msg, record.args = self.told(record.args[0]), ()
            return True
        if any(part in words for part in _ELSEWISE):
            self.passed(str(record.args[0] if isinstance(record.args, tuple) else ""))
            return False
        return record.levelno > logging.INFO or not _NOISE.match(words)

    def told(self, stage: str) -> str:
        """The line of a stage that starts."""
        left = sum(self.left.values())
        self.passed(stage)
        self.ran += 1
        place = f"[{self.seen}/{max(self.total, self.seen)}] {stage}"
        return f"{place}, at most about {duration(left)} left in all" if self.total else place

    def passed(self, stage: str) -> None:
        """A stage ran, or need not."""
        self.seen += 1
        self.left.pop(stage, None)


def planned(targets: list[str]) -> list[str]:
    """The stages that DVC looks at for these targets; none if it cannot say, for then it tells why itself."""
    from dvc.exceptions import DvcException
    from dvc.repo import Repo
    from dvc.repo.reproduce import collect_stages, plan_repro

    try:
        with Repo() as repo:
            return [stage.addressing for stage in plan_repro(repo.index.graph, collect_stages(repo, targets))]
    except (DvcException, OSError, ValueError):
        return []


def main(arguments: list[str]) -> int:
    """Run; returns DVC's exit status."""
    from dvc.cli import main as dvc

    targets = [word for word in arguments if not word.startswith("-")] if arguments else DEFAULT
    told = Told(planned(targets), read_log(log_file()))
    for handler in logging.getLogger("dvc").handlers:
        if getattr(handler, "stream", None) is sys.stdout:
            handler.addFilter(told)
    with redirect_stdout(io.StringIO()):  # swallows DVC's closing words; log and stages have the terminal itself
        status = dvc(["repro", *(arguments or DEFAULT)])
    if status == 0 and not told.ran:
        print(f"{told.seen} stages are up to date")
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
