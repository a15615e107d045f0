import numpy as np

from sdr.cluster.prototypes import Cluster, fit
from sdr.route.prior import Clusters


def test_images_of_the_corpus_lie_in_the_clusters_that_they_were_put_into():
    random = np.random.default_rng(0)
    centres = random.normal(size=(4, 8)) * 4
    features = (centres[np.arange(200) % 4] + random.normal(size=(200, 8)) + 3).astype(np.float32)
    params = Cluster(
        mapping="index",
        epsilon=0.05,
        tolerance=1e-3,
        max_iterations=100,
        epochs=5,
        lr=1.0,
        momentum=0.9,
        batch_size=64,
        temperature=0.1,
        centre=True,
        min_share=0.0,
    )
    found = fit(features, 4, params, seed=0)
    clusters = Clusters(features.mean(axis=0), found.centroids)
    for i in range(4):
        share = clusters.shares(features[found.assignment == i])
        assert share.argmax() == i and share[i] > 0.95 and np.isclose(share.sum(), 1)
