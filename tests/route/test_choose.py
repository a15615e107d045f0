"""The choice among judged candidates, and its gain on images that it was not made on."""

import numpy as np
import pytest
from scipy.stats import norm, t
from sklearn.metrics import label_ranking_average_precision_score

from sdr.evaluate.knn import Knn
from sdr.evaluate.metrics import score
from sdr.route.choose import NO_EVIDENCE, SUPERNET, TAKE_IT, Gain, Selection, choose, cross_fitted, verdict
from sdr.route.decide import folds_of
from sdr.route.judge import Judge, Judged, hits_of
from sdr.route.score import Score

SHARES = np.full(3, 1 / 3)


def how(**changes) -> Selection:
    fields = dict(also=[], combine="rank", prior=0.0, rule="best", margin=1.0, folds=5)
    return Selection(**(fields | changes))


def of(hits, folds=5, **values) -> Judged:
    """Judged by its hits, or by other values that are the same without any fold."""
    hits = np.asarray(hits, dtype=float)
    number = np.arange(len(hits)) % folds
    knn = [hits.mean(), *(hits[number != fold].mean() for fold in range(folds))]
    return Judged({"knn": 100 * np.array(knn)} | {n: np.full(folds + 1, v) for n, v in values.items()}, hits, number)


def drawn(shares, n=400, seed=0) -> list[Judged]:
    random = np.random.default_rng(seed)
    return [of(random.random(n) < share) for share in shares]


def test_best_is_the_highest_and_of_equal_ones_the_first():
    a, b = of([1, 0, 1, 0, 0]), of([1, 1, 1, 0, 0])
    assert choose([a, b, b], a, SHARES, how()) == 1
    assert choose([a, a], b, SHARES[:2], how()) == 0  # the baseline is no candidate here


def test_several_scores_count_alike():
    few = [of([1, 1, 0, 0, 0], logme=v) for v in (0.1, 0.2, 0.5)]
    few[0] = of([1, 1, 1, 0, 0], logme=0.4)
    assert choose(few, few[1], SHARES, how(also=["logme"])) == 0  # ranks 3 and 2 against 1.5 and 3
    assert choose(few, few[1], SHARES, how(also=["logme"], combine="zscore")) == 0
    assert choose(few[1:], few[1], SHARES[1:], how(also=["logme"], combine="zscore")) == 1


def test_the_mean_weighs_scores_by_how_far_they_spread():
    near, far = of([1, 1, 1, 0, 0], probe=50.0), of([1, 1, 0, 0, 0], probe=75.0)  # kNN 60 and 40
    assert choose([near, far], near, SHARES[:2], how(also=["probe"], combine="mean")) == 1
    assert choose([near, far], near, SHARES[:2], how(also=["probe"], combine="rank")) == 0  # equal ranks: the first


def test_the_prior_decides_between_equals():
    one = of([1, 0, 1, 0, 1])
    for combine in ("mean", "rank", "zscore"):
        assert choose([one, one, one], one, np.array([0.2, 0.7, 0.1]), how(prior=0.5, combine=combine)) == 1


def test_margin_needs_standard_errors():
    baseline, near, far = drawn((0.5, 0.52, 0.7))
    assert choose([near, far], baseline, SHARES[:2], how(rule="margin", margin=2.0)) == 1
    assert choose([near], baseline, SHARES[:1], how(rule="margin", margin=2.0)) is None
    assert choose([near], baseline, SHARES[:1], how(rule="margin", margin=0.0)) == 0


def test_posterior_shrinks_by_the_number_of_images():
    """All candidates lie below the baseline but for the noise of the best: it is drawn back to the mean."""
    baseline, *rest = drawn((0.6, *[0.5] * 15), n=60, seed=4)
    best = int(np.argmax([one.hits.mean() for one in rest]))
    rest[best].hits[:] = baseline.hits
    rest[best].hits[np.flatnonzero(baseline.hits == 0)[0]] = 1  # one image better
    shares = np.full(15, 1 / 15)
    assert choose(rest, baseline, shares, how()) is not None
    assert choose(rest, baseline, shares, how(rule="posterior")) is None
    baseline, *rest = drawn((0.5, 0.5, 0.75, 0.5), n=2000)
    assert choose(rest, baseline, SHARES, how(rule="posterior")) == 1


@pytest.mark.parametrize("rule", ["best", "margin", "posterior"])
def test_the_best_of_many_equals_promises_nothing(rule):
    """16 candidates as good as the baseline: the best looks 3 points better on the images it was chosen on, cross-fitted it
    gains nothing, in the mean over tasks."""
    naive, fitted, covered = [], [], 0
    for seed in range(60):
        baseline, *rest = drawn([0.5] * 17, n=300, seed=seed)
        params = how(rule=rule, margin=0.5)
        gain = cross_fitted(rest, baseline, np.full(16, 1 / 16), params)
        naive.append(100 * max(one.hits.mean() - baseline.hits.mean() for one in rest))
        fitted.append(gain.mean)
        covered += gain.low <= 0 <= gain.high
    assert np.mean(naive) > 3 and abs(np.mean(fitted)) < 1.2 and covered >= 54


def test_a_real_gain_is_found_and_its_interval_is_the_paired_one():
    baseline, same, better = drawn((0.5, 0.5, 0.8))
    gain = cross_fitted([same, better], baseline, SHARES[:2], how())
    difference = better.hits - baseline.hits
    means = [difference[baseline.folds == fold].mean() for fold in range(5)]
    reach = max(norm.ppf(0.975) * difference.std(ddof=1) / 20, t.ppf(0.975, 4) * np.std(means, ddof=1) / np.sqrt(5))
    assert gain.mean == pytest.approx(100 * difference.mean())
    assert (gain.high - gain.low) / 2 == pytest.approx(100 * reach)
    assert verdict(gain, None) == TAKE_IT
    alone = Gain.of(difference)
    assert (alone.high - alone.low) / 2 == pytest.approx(100 * norm.ppf(0.975) * difference.std(ddof=1) / 20)


def test_verdicts():
    sure, unsure = Gain(2.0, 0.5, 3.5), Gain(2.0, -0.5, 4.5)
    assert verdict(sure, sure) == TAKE_IT == "take it"
    assert verdict(unsure, None) == verdict(None, unsure) == NO_EVIDENCE == "no evidence: take the baseline"
    assert verdict(unsure, sure) == SUPERNET == "try the super-net"


def test_the_baseline_itself_gains_nothing_and_that_is_no_evidence():
    baseline = drawn((0.5,))[0]
    gain = cross_fitted([baseline], baseline, SHARES[:1], how())
    assert gain.mean == 0 and gain.low < 0 < gain.high


@pytest.mark.parametrize("n, folds", [(2, 1), (3, 1), (4, 2), (100, 5)])
def test_folds_take_turns_and_are_fewer_where_images_are_few(n, folds):
    order = np.random.default_rng(0).permutation(n)
    number = folds_of(order, 5)
    assert number.max() + 1 == folds and np.bincount(number).min() >= n // folds
    if folds == 1:
        alone = Judged({"knn": np.zeros(1)}, np.zeros(n), number)
        assert cross_fitted([alone], alone, SHARES[:1], how()) is None


@pytest.mark.parametrize("metric", ["top1", "mean_per_class", "map"])
def test_hits_make_the_metric(metric):
    random = np.random.default_rng(0)
    scores = random.random((50, 4))
    y = random.random((50, 4)) < 0.5 if metric == "map" else random.choice(4, 50, p=[0.6, 0.2, 0.1, 0.1])
    if metric == "map":
        y[:, 0] = True
        expected = 100 * label_ranking_average_precision_score(y, scores)
    else:
        expected = score(metric, scores, y)
    assert 100 * hits_of(metric, scores, y).mean() == pytest.approx(expected)


def test_a_judge_scores_all_and_without_each_fold():
    random = np.random.default_rng(0)
    y, x = np.arange(40) % 4, random.normal(size=(40, 6))
    x[:, 0] += y
    knn = Score("knn", "top1", 4, Knn(k=5, temperature=0.07))
    folds = folds_of(random.permutation(40), 4)
    found = Judge(("knn", "logme", "probe"), knn, y, folds)(x)
    assert {name: len(values) for name, values in found.values.items()} == {"knn": 5, "logme": 5, "probe": 5}
    for name in ("knn", "logme", "probe"):
        assert found.values[name][0] == knn.named(name)(x, y)
    rest = folds != 2
    assert found.values["logme"][3] == knn.named("logme")(x[rest], y[rest])
    right = knn.votes(x, y).argmax(1) == y
    assert found.values["knn"][3] == pytest.approx(100 * right[rest].mean())
    assert 100 * found.hits.mean() == pytest.approx((found.values["knn"][0] + found.values["probe"][0]) / 2)
