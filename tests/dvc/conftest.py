"""Temporary repositories with this project's dvc.yaml, and real git and dvc in them."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from tests.dvc.graph import Graph, with_files, with_params

ROOT = Path(__file__).parents[2]
SOURCES = (".dvc/config", ".dvc/.gitignore", ".dvcignore", ".gitignore", "dvc.yaml", "params.yaml")
FOLDERS = ("sdr", "splits", "stages", "tools", "experiments", "metrics/experiments")


@dataclass(frozen=True)
class Repo:
    """A git and DVC repository; commands run in it with the Python of the tests."""

    root: Path
    env: dict[str, str]

    def run(self, *command: str, ok: bool | None = True, **env: str) -> str:
        """Run a command and return all it printed; it must succeed (`ok`), fail, or either (None)."""
        result = subprocess.run(
            command,
            cwd=self.root,
            env=self.env | env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=580,
        )
        assert ok in (None, result.returncode == 0), f"{' '.join(command)}: {result.returncode}\n{result.stdout}"
        return result.stdout

    def dvc(self, *args: str, **kwargs) -> str:
        return self.run("python", "-m", "dvc", *args, **kwargs)

    def git(self, *args: str) -> str:
        return self.run("git", *args)

    def repro(self, *args: str, **env: str) -> set[str]:
        """`dvc repro`; return the stages that ran: not those skipped or restored."""
        return ran(self.dvc("repro", *args, **env))

    def commit(self, message: str = "A run") -> None:
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "--message", message)

    def clone(self, to: Path) -> "Repo":
        """A fresh clone, without this repository's untracked settings and cache."""
        self.git("clone", "--quiet", str(self.root), str(to))
        return Repo(to, self.env)

    @property
    def params(self) -> dict:
        return yaml.safe_load((self.root / "params.yaml").read_text())

    def set_params(self, **changes: object) -> None:
        (self.root / "params.yaml").write_text(yaml.safe_dump(self.params | changes, sort_keys=False))


def ran(output: str) -> set[str]:
    return set(re.findall(r"Running stage '(.+?)'", output))


@pytest.fixture(scope="session")
def environment(tmp_path_factory) -> dict[str, str]:
    """An environment without the developer's own git and DVC settings."""
    home = tmp_path_factory.mktemp("home")
    env = {k: v for k, v in os.environ.items() if not k.startswith(("DVC_", "GIT_", "SDR_", "AWS_"))}
    return env | {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "HOME": str(home),
        "DVC_GLOBAL_CONFIG_DIR": str(home / "global"),
        "DVC_SYSTEM_CONFIG_DIR": str(home / "system"),
        "DVC_SITE_CACHE_DIR": str(home / "site"),
        "DVC_NO_ANALYTICS": "1",
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_CONFIG_NOSYSTEM": "1",
        **{f"GIT_{who}_{what}": "tester@localhost" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")},
        "AWS_ACCESS_KEY_ID": "none",
        "AWS_SECRET_ACCESS_KEY": "none",
        "AWS_DEFAULT_REGION": "us-east-1",
        "NO_PROXY": "127.0.0.1",
        "no_proxy": "127.0.0.1",
        "OMP_NUM_THREADS": "1",
        "COLUMNS": "200",
    }


@pytest.fixture(scope="session")
def new_repo(environment) -> Callable[[Path], Repo]:
    """Copy the project as it stands (not what was committed last) into a new repository."""

    def make(root: Path) -> Repo:
        for name in SOURCES:
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, root / name)
        for name in FOLDERS:
            shutil.copytree(ROOT / name, root / name, ignore=shutil.ignore_patterns("__pycache__"))
        repo = Repo(root, environment)
        repo.git("init", "--quiet", "--initial-branch=main")
        return repo

    return make


def stand_ins(repo: Repo) -> None:
    """Quick stand-ins for the programs, and no check of params.yaml before them."""
    (repo.root / "stages/__init__.py").write_text("")
    for program in (repo.root / "stages").glob("[a-z]*.py"):
        shutil.copy(Path(__file__).with_name("stand_in.py"), program)


@pytest.fixture(scope="session")
def rehearsed(new_repo, tmp_path_factory) -> Repo:
    """The real dvc.yaml with quick stand-ins for the programs, two tasks, run and committed."""
    repo = new_repo(tmp_path_factory.mktemp("rehearsal") / "repo")
    stand_ins(repo)
    task = {"source": "builtin", "metric": "top1"}
    repo.set_params(
        n_subnets=4,
        tasks={"shapes": task, "flowers": task},
        compare={"moco-v2": {"source": "checkpoint"}},
        detection={"demo": {"source": "scenes", "detector": "tiny"}},
        networks=["baseline", "w0", "moco-v2"],
        detection_networks=["baseline", "moco-v2"],
    )
    repo.commit("Sources")
    repo.repro()
    repo.commit()
    return repo


@pytest.fixture
def ask(rehearsed, monkeypatch) -> Callable[..., Graph]:
    """The graph of the rehearsed repository with other parameters, and with other texts of files; it stays as it was."""
    for name, value in rehearsed.env.items():
        if name.startswith("DVC_"):
            monkeypatch.setenv(name, value)

    def graph(files: dict[str, str] | None = None, **params: object) -> Graph:
        with with_files(rehearsed.root, **with_params(rehearsed.params, **params), **(files or {})):
            return Graph(rehearsed.root)

    return graph


@pytest.fixture
def repo(rehearsed, tmp_path) -> Repo:
    """A copy of the rehearsed repository, for one test to change."""
    shutil.copytree(rehearsed.root, tmp_path / "repo", symlinks=True)
    return Repo(tmp_path / "repo", rehearsed.env)
