"""Result: the share of a run's time that goes to imports (see benchmarks/README.md).
Command: python -m benchmarks.startup [--n 3] [--log .scratch/runs.csv], after a run of the pipeline on this machine.
n: the least CPU time of n imports of each program, times how often the last run of each stage started it.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
from collections import Counter
from pathlib import Path

from sdr.base.run_log import log_file, read_log

PIPELINE = Path("dvc.yaml")
START = """
import importlib, sys
sys.argv = ["-m"]
importlib.import_module({module!r})
if "torch" in sys.modules and {module!r} not in ("stages.cluster", "stages.report"):
    import timm  # which the others import when they build their network
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--n", type=int, default=3)
    parser.add_argument("--log", type=Path, default=log_file())
    args = parser.parse_args()
    last = {run.stage: run.seconds for run in read_log(args.log) if run.status == "ok"}
    if not last:
        sys.exit(f"error: {args.log}: no run of a stage; `make repro` first")
    programs = module_of()
    starts = Counter(programs[name] for stage in last if (name := stage.partition("@")[0]) in programs)
    torch, empty = cpu_seconds("import torch", args.n), cpu_seconds("pass", args.n)
    costs = {module: cpu_seconds(START.format(module=module), args.n) for module in starts}
    total = sum(costs[module] * count for module, count in starts.items())
    for module, seconds in sorted(costs.items(), key=lambda item: -item[1] * starts[item[0]]):
        print(f"{module:26} {starts[module]:3} × {seconds:5.2f} s   {seconds / torch:4.2f} of `import torch`")
    out = {"programs": starts.total(), "imports_cpu_s": total, "run_s": sum(last.values())}
    out |= {"share": total / sum(last.values()), "import_torch_s": torch, "empty_program_s": empty, "n": args.n}
    print(json.dumps({key: round(value, 3) for key, value in out.items()}))


def module_of() -> dict[str, str]:
    """Stage → the module that its command runs."""
    from ruamel.yaml import YAML

    entries = YAML(typ="safe").load(PIPELINE.read_text())["stages"]
    commands = {name: entry.get("do", entry)["cmd"].split() for name, entry in entries.items()}
    return {name: words[words.index("-m") + 1] for name, words in commands.items()}


def cpu_seconds(code: str, n: int) -> float:
    """The least CPU time of n new interpreters that run `code`, in seconds, their own start and end included."""
    found = []
    for _ in range(n):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([sys.executable, "-c", code], check=True, env=os.environ | {"OMP_NUM_THREADS": "1"})
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        found.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return min(found)


if __name__ == "__main__":
    main()
