import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture
def repo(tmp_path):
    (tmp_path / "profiles").mkdir()
    (tmp_path / "profiles/laptop.yaml").write_text("size: 1\n")
    (tmp_path / "profiles/gpu.yaml").write_text("size: 2\n")
    (tmp_path / "params.yaml").write_text("size: 1\n")
    git = ["git", "-c", "user.name=t", "-c", "user.email=t@localhost"]
    for command in (["init", "-q"], ["add", "--all"], ["commit", "-qm", "x"]):
        subprocess.run([*git, *command], cwd=tmp_path, check=True)
    return tmp_path


def use(root: Path, *args: str) -> tuple[int, str]:
    command = [sys.executable, "-m", "tools.use_profile", *args]
    env = {"PYTHONPATH": str(ROOT), "PATH": "/usr/local/bin:/usr/bin:/bin"}
    result = subprocess.run(command, cwd=root, env=env, stdout=-1, stderr=-2, text=True)
    return result.returncode, result.stdout


def params(root: Path) -> str:
    return (root / "params.yaml").read_text()


def test_to_a_profile_and_back(repo):
    assert use(repo, "gpu")[0] == 0 and params(repo) == "size: 2\n"
    assert use(repo, "laptop")[0] == 0 and params(repo) == "size: 1\n"


def test_own_changes_are_kept_unless_forced(repo):
    (repo / "params.yaml").write_text("size: 3\n")
    status, output = use(repo, "gpu")
    assert status == 1 and "FORCE=1" in output and params(repo) == "size: 3\n"
    assert use(repo, "gpu", "--force")[0] == 0 and params(repo) == "size: 2\n"


def test_own_changes_outside_a_repository_are_kept_too(repo, tmp_path):
    (repo / "params.yaml").write_text("size: 3\n")
    (repo / ".git").rename(repo / "gone")
    assert use(repo, "gpu")[0] == 1 and params(repo) == "size: 3\n"


def test_a_missing_file_is_no_change(repo):
    (repo / "params.yaml").unlink()
    assert use(repo, "gpu")[0] == 0 and params(repo) == "size: 2\n"


@pytest.mark.parametrize("name", ["", "gp", "../params"])
def test_unknown_profiles_are_told_with_the_known_ones(repo, name):
    status, output = use(repo, name)
    assert status == 1 and "gpu" in output and "laptop" in output and params(repo) == "size: 1\n"
