"""Remove what tasks that params.yaml no longer has left behind: entries of dvc.lock, and their files.

DVC keeps both, and a stage that reads the whole folder would still find them. The cache is not touched: when
the task comes back, its results are restored from there.
"""

import shutil
from collections.abc import Iterable
from pathlib import Path

from sdr.base.errors import program
from sdr.base.outputs import output_file

LOCK = Path("dvc.lock")


@program
def main() -> None:
    if not LOCK.exists():
        return
    from dvc.repo import Repo
    from dvc.utils.serialize import dumps_yaml, parse_yaml_for_update

    with Repo() as repo, repo.lock:
        names = {stage.name for stage in repo.index.stages}
        kept = {Path(out.fs_path).relative_to(repo.root_dir) for out in repo.index.outs}
        lock = parse_yaml_for_update(LOCK.read_text(), LOCK)
        gone = {name: lock["stages"].pop(name) for name in list(lock["stages"]) if name not in names}
        for name, entry in gone.items():
            remove((Path(out["path"]) for out in entry.get("outs", ())), kept)
            print(f"prune: {name}, which is no longer a stage")
        if gone:
            with output_file(LOCK) as partial:
                partial.write_text(dumps_yaml(lock))


def remove(paths: Iterable[Path], kept: set[Path]) -> None:
    """Delete files and folders, but none that is, holds or lies in one of `kept`."""
    for path in paths:
        if any(path == other or path in other.parents or other in path.parents for other in kept):
            continue
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


if __name__ == "__main__":
    main()
