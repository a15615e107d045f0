import ast
import shutil
import subprocess
from pathlib import Path

import pytest

from tools import bootstrap

ROOT = Path(__file__).parents[2]


def test_the_file_parses_on_old_pythons():
    ast.parse((ROOT / "tools/bootstrap.py").read_text(), feature_version=(3, 7))


def test_an_old_python_is_told_what_to_do(monkeypatch):
    monkeypatch.setattr(bootstrap.sys, "version_info", (3, 9, 6))
    monkeypatch.setattr(bootstrap.shutil, "which", lambda name: None)
    with pytest.raises(SystemExit, match=r"error: Python 3.11 or later is needed.*3\.9\.6.*make PYTHON="):
        bootstrap.find_python()


def test_an_old_python_gives_way_to_a_newer_one(monkeypatch):
    started = []
    monkeypatch.setattr(bootstrap.sys, "version_info", (3, 9, 6))
    monkeypatch.setattr(bootstrap.sys, "argv", ["tools/bootstrap.py"])
    monkeypatch.setattr(bootstrap.shutil, "which", lambda name: f"/bin/{name}" if name == "python3.12" else None)

    def execv(program, command):
        started.append((program, command))
        raise SystemExit

    monkeypatch.setattr(bootstrap.os, "execv", execv)
    with pytest.raises(SystemExit):
        bootstrap.find_python()
    assert started == [("/bin/python3.12", ["/bin/python3.12", "tools/bootstrap.py"])]


@pytest.fixture
def steps(monkeypatch, tmp_path):
    """Commands instead of an installation; those with a word of `failing` fail."""
    commands, failing = [], []

    def run(*command, quiet=False):
        commands.append(" ".join(map(str, command)))
        return not any(word in commands[-1] for word in failing)

    monkeypatch.setattr(bootstrap, "run", run)
    monkeypatch.setattr(bootstrap, "VENV", tmp_path)
    monkeypatch.setattr(bootstrap, "READY", tmp_path / ".ready")
    (tmp_path / ".ready").touch()
    return commands, failing


def test_uv_is_installed_from_the_lock_and_installs_the_rest(steps, tmp_path):
    commands, _ = steps
    bootstrap.main()
    assert "--require-hashes" in commands[-3] and "--require-hashes" in commands[-2]
    assert "uv pip install" in commands[-2] and "--compile-bytecode" in commands[-2]
    assert (tmp_path / "uv.lock").read_text().startswith("uv==") and (tmp_path / ".ready").exists()
    block = (tmp_path / "uv.lock").read_text()
    assert block.count("==") == 1 and block in bootstrap.LOCK.read_text() and not block.rstrip().endswith("\\")


def test_the_checkout_is_installed_last_and_without_asking_an_index(steps):
    commands, _ = steps
    bootstrap.main()
    assert commands[-1].endswith(f"--no-deps --no-index --no-build-isolation -e {ROOT}")


@pytest.mark.parametrize("broken", ["uv.lock", "uv pip"])
def test_pip_takes_over_where_uv_does_not_work(steps, tmp_path, broken):
    commands, failing = steps
    failing.append(broken)
    bootstrap.main()
    assert "pip" in commands[-2] and "uv" not in commands[-2].split("install")[1]
    assert commands[-2].endswith(f"--require-hashes -r {bootstrap.LOCK}")
    assert (tmp_path / ".ready").exists()


@pytest.mark.parametrize("broken", [["-r"], ["-e"], ["pip --version", "venv"]])
def test_a_failed_setup_is_told_and_not_taken_for_ready(steps, tmp_path, broken):
    _, failing = steps
    failing += broken
    with pytest.raises(SystemExit, match="error: "):
        bootstrap.main()
    assert not (tmp_path / ".ready").exists()


@pytest.fixture
def checkout(tmp_path):
    """A checkout whose .venv holds a stand-in for Python that prints its arguments; the module $FAILS fails."""
    for name in ("Makefile", ".ci/run", "requirements.lock"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    python = tmp_path / ".venv/bin/python"
    python.parent.mkdir(parents=True)
    python.write_text(
        '#!/bin/sh\n[ "$1" = -c ] && echo 1 && exit\necho "python $*"\n[ "$2" = "${FAILS:-}" ] && exit 1\nexit 0\n'
    )
    python.chmod(0o755)
    (tmp_path / ".venv/.ready").touch()
    return tmp_path


@pytest.mark.parametrize("fails", ["", "ruff", "mypy", "pytest"])
def test_ci_lints_and_tests_and_reports_the_status(checkout, fails):
    env = {"PATH": "/usr/local/bin:/usr/bin:/bin", "FAILS": fails, "CI": "true"}
    command = ["bash", str(checkout / ".ci/run")]
    result = subprocess.run(command, cwd="/", env=env, stdin=subprocess.DEVNULL, stdout=-1, text=True)
    ran = [line.split()[2] for line in result.stdout.splitlines() if line.startswith("python -m")]
    steps = ["ruff", "ruff", "mypy", "pytest"]
    assert ran == (steps[: steps.index(fails) + 1] if fails else steps)
    assert (result.returncode == 0) == (not fails)


def test_make_repro_checks_runs_and_shows(checkout):
    env = {"PATH": "/usr/local/bin:/usr/bin:/bin"}
    result = subprocess.run(["make", "repro"], cwd=checkout, env=env, stdout=-1, text=True, check=True)
    lines = [line for line in result.stdout.splitlines() if line.startswith("python")]
    steps = ("tools.recover", "tools.check", "tools.prune", "tools.refresh", "tools.repro", "tools.table")
    assert lines == [f"python -m {what}" for what in steps]


def test_a_changed_lock_sets_up_again(checkout):
    env = {"PATH": "/usr/local/bin:/usr/bin:/bin"}
    assert subprocess.run(["make", "--question", "setup"], cwd=checkout, env=env).returncode == 0
    (checkout / ".venv/.ready").unlink()
    assert subprocess.run(["make", "--question", "setup"], cwd=checkout, env=env).returncode == 1


def test_a_venv_without_its_python_sets_up_again(checkout):
    (checkout / ".venv/bin/python").unlink()
    env = {"PATH": "/usr/local/bin:/usr/bin:/bin"}
    assert subprocess.run(["make", "--question", "setup"], cwd=checkout, env=env).returncode == 1
