"""A pool of workers over `dvc exp run --temp`: each experiment in a folder of DVC's own, what others have computed from the run cache."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from pathlib import Path

from sdr.base.errors import UserError
from sdr.experiments.sets import Experiment

_TAIL = 15  # lines of a failed experiment's log
# When two end a stage at once, one may find the other's entry of the run cache half written, and take it for broken.
_RACE = re.compile(r"No such file or directory: '.*[/\\]runs[/\\].*\.tmp'")


@dataclass
class Pool:
    """Runs experiments side by side, each with its share of the cores."""

    jobs: int
    command: Callable[[Experiment], list[str]]
    """What runs an experiment."""
    logs: Path
    """Folder of what each of them said."""
    running: dict[str, subprocess.Popen] = field(default_factory=dict)
    stopped: bool = False

    def run(self, experiments: Sequence[Experiment], done: Callable[[Experiment], None], title: str) -> None:
        """Run all of them, and call `done` with each that has finished, one at a time.

        Raises:
            UserError: some failed; the others have finished.
            KeyboardInterrupt: interrupted; those that ran were interrupted as by Ctrl-C, so that a training keeps a checkpoint.
        """
        self.logs.mkdir(parents=True, exist_ok=True)
        progress, failed = Progress(title, len(experiments)), []
        with ThreadPoolExecutor(self.jobs) as threads:
            futures = {threads.submit(self._once_more, experiment): experiment for experiment in experiments}
            try:
                for future in as_completed(futures):
                    experiment = futures[future]
                    if said := self._ended(experiment, future.result(), done):
                        failed.append(experiment.name)
                        progress.failed(experiment.name, said)
                    else:
                        progress.finished(experiment.name)
            except BaseException:
                self._stop()
                raise
        if failed:
            names = ", ".join(sorted(failed))
            raise UserError(
                f"{len(failed)} of {len(experiments)} failed ({names}); {self.logs} has all that they said; "
                "the same command runs them again"
            )

    def _ended(self, experiment: Experiment, finished: bool, done: Callable[[Experiment], None]) -> str:
        """Why an experiment failed, "" if it did not."""
        if not finished:
            log = (self.logs / f"{experiment.name}.log").read_text(errors="replace")
            return "\n".join(log.splitlines()[-_TAIL:])
        try:
            done(experiment)
        except UserError as error:
            return str(error)
        return ""

    def _once_more(self, experiment: Experiment) -> bool:
        """Run an experiment, and again if two disturbed each other; whether it finished."""
        log = self.logs / f"{experiment.name}.log"
        if self._attempt(experiment, log):
            return True
        if self.stopped or not _RACE.search(log.read_text(errors="replace")):
            return False
        print(f"again, two experiments met in DVC's run cache: {experiment.name}", file=sys.stderr, flush=True)
        return self._attempt(experiment, log)

    def _attempt(self, experiment: Experiment, log: Path) -> bool:
        if self.stopped:
            return False
        with log.open("w") as said:
            process = subprocess.Popen(
                self.command(experiment),
                env=os.environ | threads(self.jobs),
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=said,
                start_new_session=True,  # so that all that it starts can be interrupted with it, and not by our terminal
            )
            self.running[experiment.name] = process
            if self.stopped:
                _signal(process, signal.SIGINT)
            try:
                return process.wait() == 0
            finally:
                del self.running[experiment.name]

    def _stop(self) -> None:
        """Start nothing more, and interrupt what runs; again, and it is killed."""
        self.stopped = True
        for process in list(self.running.values()):
            _signal(process, signal.SIGINT)
        try:
            for process in list(self.running.values()):
                process.wait()
        except BaseException:
            for process in list(self.running.values()):
                _signal(process, signal.SIGKILL)
            raise


class Progress:
    """One line on a terminal; elsewhere a line an experiment."""

    def __init__(self, title: str, total: int):
        self.title, self.total, self.done, self.lost, self.began = title, total, 0, 0, time.monotonic()
        self.live = sys.stdout.isatty()
        self._show("")

    def finished(self, name: str) -> None:
        self.done += 1
        self._show(f"; last {name}")

    def failed(self, name: str, log: str) -> None:
        self.lost += 1
        print(f"{self._end()}failed: {name}\n{log}", file=sys.stderr, flush=True)
        self._show("")

    def _show(self, what: str) -> None:
        gone = time.monotonic() - self.began
        line = f"{self.title}: {self.done} of {self.total} finished"
        line += f", {self.lost} failed" if self.lost else ""
        line += f", {gone / 60:.0f} min"
        ended = self.done + self.lost
        over = ended == self.total
        if ended and not over:
            line += f", about {gone / ended * (self.total - ended) / 60:.0f} min left"
        print(
            f"\r\x1b[K{line}{what}" if self.live else line + what,
            end="" if self.live and not over else "\n",
            flush=True,
        )

    def _end(self) -> str:
        return "\n" if self.live else ""


def threads(jobs: int) -> dict[str, str]:
    """Share the cores among jobs: threads that wait for each other on a taken core cost several times what they save."""
    if jobs == 1 or "OMP_NUM_THREADS" in os.environ:
        return {}
    return {"OMP_NUM_THREADS": str(max(1, (os.cpu_count() or 1) // jobs))}


def _signal(process: subprocess.Popen, number: int) -> None:
    """Send a signal to a process and all that it started."""
    try:
        os.killpg(process.pid, number)
    except ProcessLookupError:  # it has ended meanwhile
        pass
