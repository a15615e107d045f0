import torch
from torch.nn.functional import cosine_similarity

from sdr.evaluate.ensemble import Ensemble
from tests.route.toys import make_trained


def test_members_are_side_by_side_and_stay_what_they_were(tmp_path):
    trained = make_trained(tmp_path, 4, "cluster")
    x = torch.randn(5, 3, 16, 16)
    with torch.inference_mode():
        alone = [trained.subnet(i)(x) for i in (2, 0, 3)]
        ensemble = Ensemble(trained.subnet(i) for i in (2, 0, 3))
        trained.subnet(1)
        found = ensemble(x)
    assert found.shape == (5, 48) and not ensemble.training
    mean = torch.stack([cosine_similarity(each[:1], each) for each in alone]).mean(0)
    torch.testing.assert_close(cosine_similarity(found[:1], found), mean, rtol=1e-4, atol=1e-5)
