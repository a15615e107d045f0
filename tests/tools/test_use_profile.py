"""`make profile` in a repository, and what it must not lose."""

import subprocess

import pytest

from tools import use_profile

DEFAULT = "n: 1  # one\nviews:\n  side: 8\n"
GIT = ["git", "-c", "user.name=t", "-c", "user.email=t@localhost"]


@pytest.fixture
def repo(tmp_path, monkeypatch):
    """A repository with two profiles, the current folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sdr.base.errors.signal.signal", lambda *_: None)
    (tmp_path / "profiles").mkdir()
    (tmp_path / "profiles/gpu.yaml").write_text("n: 2\n")
    (tmp_path / "profiles/big.yaml").write_text("views: {side: 9}\n")
    (tmp_path / "params.yaml").write_text(DEFAULT)
    git("init", "-q")
    commit()
    return tmp_path


def git(*command):
    subprocess.run([*GIT, *command], check=True)


def commit():
    git("add", "--all")
    git("commit", "-qm", "x")


def use(monkeypatch, *arguments) -> str:
    """Run the program; return its error."""
    monkeypatch.setattr("sys.argv", ["use_profile", *arguments])
    try:
        use_profile.main()
    except SystemExit as end:
        return str(end)
    return ""


def params(root) -> str:
    """Without the line that names the profile."""
    return "".join(line for line in (root / "params.yaml").open() if not line.startswith("# Profile"))


def test_from_one_to_another_and_back_leaves_nothing_behind(repo, monkeypatch):
    assert use(monkeypatch, "gpu") == "" and params(repo) == DEFAULT.replace("n: 1", "n: 2")
    assert use(monkeypatch, "big") == "" and params(repo) == DEFAULT.replace("8", "9")
    commit()  # on a branch of the profile's own, say
    assert use(monkeypatch, "gpu") == "" and params(repo) == DEFAULT.replace("n: 1", "n: 2")
    assert use(monkeypatch, "default") == "" and (repo / "params.yaml").read_text() == DEFAULT


@pytest.mark.parametrize("before", ["", "gpu"])
def test_own_changes_are_kept_unless_forced(repo, monkeypatch, before):
    if before:
        use(monkeypatch, before)
    own = (repo / "params.yaml").read_text().replace("8", "7")
    (repo / "params.yaml").write_text(own)
    assert "FORCE=1" in use(monkeypatch, "big") and (repo / "params.yaml").read_text() == own
    assert use(monkeypatch, "big", "--force") == "" and params(repo) == DEFAULT.replace("8", "9")


def test_outside_a_repository_nothing_is_known_to_be_kept(repo, monkeypatch):
    (repo / ".git").rename(repo / "gone")
    assert "FORCE=1" in use(monkeypatch, "gpu") and params(repo) == DEFAULT
    assert use(monkeypatch, "gpu", "--force") == "" and params(repo) == DEFAULT.replace("n: 1", "n: 2")
    assert "restore the project's own first" in use(monkeypatch, "big", "--force")


def test_a_missing_file_is_no_change(repo, monkeypatch):
    (repo / "params.yaml").unlink()
    assert use(monkeypatch, "gpu") == "" and params(repo) == DEFAULT.replace("n: 1", "n: 2")


@pytest.mark.parametrize("name", ["", "gp", "../params"])
def test_unknown_profiles_are_told_with_the_known_ones(repo, monkeypatch, name):
    assert use(monkeypatch, name) == f"error: no profile `{name}`: make profile P=(default|big|gpu)"
    assert params(repo) == DEFAULT


def test_a_wrong_profile_leaves_params_yaml_as_it_is(repo, monkeypatch):
    (repo / "profiles/gpu.yaml").write_text("m: 2\n")
    assert use(monkeypatch, "gpu") == "error: profiles/gpu.yaml: unknown parameter `m`" and params(repo) == DEFAULT
