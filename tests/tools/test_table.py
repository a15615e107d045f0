"""The tables of the other backbones alone: those of `compare` and of `pruned`, with nothing else there."""

import pytest

from tests.report.conftest import write_others
from tools.table import main


@pytest.fixture
def workplace(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", ["table", "--compare"])
    monkeypatch.setattr("sdr.base.errors.signal.signal", lambda *_: None)
    return tmp_path


def test_pruned_baselines_are_shown_with_the_other_backbones(workplace, capsys):
    write_others(workplace / "artifacts", ["kinds"], ["moco", "ticket"])
    (workplace / "params.yaml").write_text("tasks: {kinds: {}}\nnetworks: [baseline, w0, moco, ticket]\n")
    main()
    shown = capsys.readouterr().out
    assert all(text in shown for text in ("moco", "ticket", "40.00", "41.00"))


@pytest.mark.parametrize("params", ["tasks: {}\nnetworks: [a]", "tasks: {a: {}}\nnetworks: [baseline, w0]"])
def test_nothing_to_compare(workplace, params):
    (workplace / "params.yaml").write_text(f"{params}\n")
    with pytest.raises(SystemExit) as left:
        main()
    assert "there is nothing to compare" in left.value.code
