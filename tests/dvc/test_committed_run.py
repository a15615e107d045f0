"""The committed run belongs to the code and parameters beside it; seen without a download or a run."""

import shutil
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_dvc_lock_is_not_stale(new_repo, tmp_path):
    repo = new_repo(tmp_path / "repo")
    shutil.copy(ROOT / "dvc.lock", repo.root)
    shutil.copytree(ROOT / "metrics", repo.root / "metrics", dirs_exist_ok=True)
    repo.commit()
    assert current(repo), "dvc.lock is stale: run `dvc repro` and commit what it changes"


def test_a_clone_without_the_outputs_begins_no_experiment_that_could_not_end(new_repo, tmp_path):
    """DVC looks at the figures' folder when all is done, and fails where the cache lacks it."""
    repo = new_repo(tmp_path / "repo")
    shutil.copy(ROOT / "dvc.lock", repo.root)
    repo.commit()
    said = repo.run("python", "-m", "tools.experiments", "gain", ok=False)
    assert (
        "error: dvc.lock names report/, which DVC's cache lacks" in said and "`make repro` or `dvc pull` first" in said
    )


def test_a_stale_dvc_lock_is_seen(repo, tmp_path):
    clone = repo.clone(tmp_path / "clone")
    assert current(clone)
    with (clone.root / "sdr/base/errors.py").open("a") as file:
        file.write("# changed\n")
    assert not current(clone)


def current(repo) -> bool:
    output = repo.dvc("repro", "--allow-missing", "--dry", "report", ok=None)  # what `make repro` runs
    return "Running" not in output and "ERROR" not in output and "didn't change, skipping" in output
