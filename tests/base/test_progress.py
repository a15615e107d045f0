"""What an interrupted search has found is there again, and goes without a trace when it is done."""

import pytest

from sdr.base.progress import Progress


@pytest.fixture(autouse=True)
def scratch(tmp_path, monkeypatch):
    monkeypatch.setenv("SDR_SCRATCH", str(tmp_path / "scratch"))
    return tmp_path / "scratch"


def test_it_is_there_in_the_next_run_and_of_this_search_alone():
    Progress("x").put("round 1", {"scores": [1.5, 2.0]})
    assert Progress("x").get("round 1") == {"scores": [1.5, 2.0]}
    assert Progress("x").get("round 2") is None and Progress("y").get("round 1") is None


def test_without_a_name_nothing_is_kept_on_disk(scratch):
    progress = Progress("")
    progress.put("round 1", 3)
    assert progress.get("round 1") == 3 and Progress("").get("round 1") is None and not scratch.exists()
    progress.remove()


def test_removed_it_leaves_nothing_but_other_searches(scratch):
    for name in "xy":
        Progress(name).put("a", 1)
    Progress("x").remove()
    assert Progress("x").get("a") is None and Progress("y").get("a") == 1
    Progress("y").remove()
    assert not scratch.exists()
    Progress("y").remove()


def test_what_cannot_be_read_is_named_and_the_search_starts_anew(capsys):
    Progress("x").put("a", 1)
    (Progress("x").folder / "progress.json").write_text('{"a": ')
    assert Progress("x").get("a") is None
    assert "progress.json: not readable; the search starts anew" in capsys.readouterr().out
