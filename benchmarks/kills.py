"""Kill `make repro` again and again, run it to its end, and compare all it made with what an uninterrupted run made.

python -m benchmarks.kills                    50 kills over all stages, 20 in each window of DVC's own files
python -m benchmarks.kills --stages 4 --windows 2

A kill is SIGKILL to all processes of the run at once. Its moment is counted in their CPU time, so that what else the machine
does moves none: of the stages' kills each stage gets one, anywhere in it, and those that keep states get the rest. The kills in
a window cut `dvc.lock` or `.dvc/tmp/rwlock` after a random share of what DVC is writing there (`benchmarks/killer.py`); the stages
come from the run cache there, so that DVC writes these files and does little else.
The repository is a copy of this one with tiny parameters (`benchmarks/miniature.py`), in which trainings save every 0.2 s.
Linux only; exits with status 1 where anything differs.
"""

import argparse
import hashlib
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.measure import machine
from benchmarks.miniature import make_repository
from sdr.base.outputs import write_json

COMMAND = ["make", "--old-file=.venv/.ready", "--no-print-directory", "repro"]  # nothing is to be installed
KEEPERS = ("pretrain", "train_sdr", "route", "route_detection", "finetune", "finetune_routed")  # they keep states
WINDOWS = ("dvc.lock", "rwlock")
COMPARED = ("artifacts", "report", "metrics")
CLOCKS = re.compile(r"artifacts/timing/|report/|\.partial")  # what holds seconds, and pages that show them
_LINE = re.compile(r"^\[\d+/\d+\] ([^\s,]+)", re.MULTILINE)  # of tools.repro, as a stage begins
_TICK = os.sysconf("SC_CLK_TCK")


class Run:
    """One `make repro` in a session of its own."""

    def __init__(self, root: Path, env: dict[str, str]):
        self.said = root.parent / f"{root.name}.log"
        with self.said.open("w") as log:
            self.process = subprocess.Popen(
                COMMAND, cwd=root, env=env, stdin=-3, stdout=log, stderr=log, start_new_session=True
            )

    def stages(self) -> list[str]:
        """Those that have begun."""
        return _LINE.findall(self.said.read_text(errors="replace"))

    def spent(self) -> float:
        """CPU seconds of all its processes, those that have ended and were waited for too."""
        total = 0
        for stat in Path("/proc").glob("[0-9]*/stat"):
            try:
                fields = stat.read_text().rpartition(")")[2].split()
            except OSError:
                continue
            if int(fields[3]) == self.process.pid:
                total += sum(map(int, fields[11:15]))
        return total / _TICK

    def ended(self) -> bool:
        return self.process.poll() is not None

    def kill(self) -> None:
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


def uninterrupted(root: Path, env: dict[str, str]) -> dict[str, float]:
    """Run to the end; return the CPU seconds of each stage, and under "" of what came before the first."""
    run, began, seen = Run(root, env), {"": 0.0}, 0.0
    while not run.ended():
        seen = max(seen, run.spent())
        for stage in run.stages():
            began.setdefault(stage, seen)
        time.sleep(0.05)
    check(run)
    ends = [*list(began.values())[1:], seen]
    return {stage: max(0.1, end - start) for (stage, start), end in zip(began.items(), ends, strict=True)}


def plan(costs: dict[str, float], kills: int, draw: random.Random) -> list[tuple[str, float]]:
    """Where to kill, in the order of a run: (stage, CPU seconds after its beginning)."""
    stages = list(costs)
    keepers = [stage for stage in stages if stage.partition("@")[0] in KEEPERS]
    chosen = [(stage, draw.random()) for stage in draw.sample(stages, min(kills, len(stages)))]
    chosen += [(keepers[i % len(keepers)], draw.uniform(0.4, 1)) for i in range(kills - len(chosen))]
    return sorted(((stage, share * costs[stage]) for stage, share in chosen), key=lambda kill: stages.index(kill[0]))


def kill_in_stages(root: Path, env: dict, costs: dict[str, float], planned: list, found: Counter) -> None:
    """One kill after the other, each in a run of its own, until the plan or the run is at its end."""
    stages = list(costs)
    while planned:
        stage, wait = planned.pop(0)
        run, began = Run(root, env), 0.0 if stage == "" else None
        while not run.ended():
            spent = run.spent()
            if began is None and any(stages.index(s) >= stages.index(stage) for s in run.stages() if s in costs):
                began = spent
            if began is not None and spent >= began + wait:
                run.kill()
                note(root, (run.stages() or ["before the first stage"])[-1].partition("@")[0], found)
                break
            time.sleep(0.02)
        else:
            check(run)
            return
    check(Run(root, env))


def kill_in_windows(root: Path, env: dict, windows: list[str], draw: random.Random, found: Counter) -> None:
    """Cuts DVC's own files, each in a run of its own, until all are cut or the run is at its end before its window opens."""
    while windows:
        window = windows.pop()
        cut = f"{window} {draw.randint(1, 3 if window == 'rwlock' else 2)} {draw.random():.4f}"
        run = Run(root, env | {"SDR_CUT": cut})
        run.process.wait()
        if run.process.returncode == 0:
            windows.append(window)
            return
        if run.process.returncode != -signal.SIGKILL:
            check(run)
        path = root / (".dvc/tmp/rwlock" if window == "rwlock" else window)
        content = path.read_bytes() if path.exists() else b""
        whole = content.endswith(b"}" if window == "rwlock" else b"\n")
        found[f"{window}, {'empty' if not content else 'whole' if whole else 'cut'}"] += 1
        print(cut, dict(found), flush=True)
    check(Run(root, env))


def note(root: Path, where: str, found: Counter) -> None:
    """Count a kill, and whether something was there to go on from."""
    found[where] += 1
    found["with a kept state"] += any((root / ".scratch/training").rglob("step-*")) or any(
        root.glob(".scratch/searches/*")
    )
    print(where, dict(found), flush=True)


def check(run: Run) -> None:
    """End here if a run failed."""
    run.process.wait()
    if run.process.returncode:
        sys.exit(f"make repro: status {run.process.returncode}\n{run.said.read_text()[-4000:]}")


def contents(root: Path) -> dict[str, str]:
    """SHA-256 of every file made, but of those with clocks."""
    files = (path for place in COMPARED for path in (root / place).rglob("*") if path.is_file())
    named = {str(path.relative_to(root)): path for path in files}
    return {n: hashlib.sha256(p.read_bytes()).hexdigest() for n, p in sorted(named.items()) if not CLOCKS.search(n)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--stages", type=int, default=50, help="kills over all stages")
    parser.add_argument("--windows", type=int, default=20, help="kills in each window")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--folder", type=Path, help="where the repositories are made; a temporary one")
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/kills-cpu.json"))
    args = parser.parse_args()
    folder = args.folder or Path(tempfile.mkdtemp(prefix="kills-"))
    draw, found = random.Random(args.seed), Counter()
    reference, env = make_repository(folder / "reference")
    costs = uninterrupted(reference, env)
    whole = contents(reference)
    facts = {
        "date": f"{datetime.now(UTC):%Y-%m-%d}",
        "machine": machine(),
        "seed": args.seed,
        "stages": len(costs) - 1,
        "cpu_seconds_uninterrupted": round(sum(costs.values()), 1),
        "files_compared": len(whole),
    }
    print(json.dumps(facts, indent=2), flush=True)
    planned, passes, differing = plan(costs, args.stages, draw), 0, set()
    windows = draw.sample([w for w in WINDOWS for _ in range(args.windows)], len(WINDOWS) * args.windows)
    while planned or windows:
        passes += 1
        root, env = make_repository(folder / f"pass-{passes}")
        if windows:
            shutil.copytree(reference / ".dvc/cache", root / ".dvc/cache")
            kill_in_windows(root, env, windows, draw, found)
        else:
            kill_in_stages(root, env, costs, planned, found)
        made = contents(root)
        differing |= {name for name in whole.keys() | made.keys() if whole.get(name) != made.get(name)}
        differing |= {str(p.relative_to(root)) for place in COMPARED for p in (root / place).rglob("*.partial*")}
        facts |= {
            "runs_to_the_end": passes,
            "kills": dict(sorted(found.items())),
            "files_that_differ": sorted(differing),
        }
        write_json(args.out, facts)
        print(json.dumps(facts, indent=2), flush=True)
    sys.exit(bool(differing))


if __name__ == "__main__":
    main()
