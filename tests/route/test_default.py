"""`sdr route` chooses as the pipeline does."""

from pathlib import Path

from sdr.base.params import load
from sdr.evaluate.knn import Knn
from sdr.route.default import KNN, ROUTE
from sdr.route.search import Search


def test_the_command_chooses_as_the_pipeline(monkeypatch):
    monkeypatch.chdir(Path(__file__).parents[2])
    assert load(route=Search, knn=Knn) == {"route": ROUTE, "knn": KNN}
