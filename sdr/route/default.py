"""How routing chooses where nothing else is said: `route` and `knn` of the params.yaml of this repository, to which a test holds it.

For `sdr route`, which runs where there is no params.yaml.
"""

from sdr.evaluate.knn import Knn
from sdr.route.choose import Selection
from sdr.route.race import Halving
from sdr.route.search import Search

ROUTE = Search(
    method="exhaustive",
    score="knn",
    prior=1.0,
    top_m=1,
    candidates=["subnets", "subnets_all", "baseline"],
    selection=Selection(also=["probe"], combine="mean", prior=0.0, rule="margin", margin=0.5, folds=5),
    halving=Halving(per_class=8, least=64, growth=2.0, keep=0.5),
)
KNN = Knn(k=20, temperature=0.07)
