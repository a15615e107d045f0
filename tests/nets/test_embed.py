import numpy as np
import torch
from PIL import Image

from sdr.nets.embed import Embedding, embed, evaluation_view


def test_resize_is_pils_bicubic():
    """Within rounding of PIL, which resizes bytes in fixed point."""
    small = np.random.default_rng(0).integers(0, 256, (16, 16, 3), dtype=np.uint8)
    image = np.asarray(Image.fromarray(small).resize((64, 64), Image.BILINEAR))
    theirs = np.asarray(Image.fromarray(image).resize((32, 32), Image.BICUBIC))
    ours = evaluation_view(image[None], 32, torch.device("cpu"))
    exact = evaluation_view(theirs[None], 32, torch.device("cpu"))
    assert (ours - exact).abs().max() < 2 / 255 / 0.224


def test_batches_do_not_matter():
    images = np.random.default_rng(0).integers(0, 256, (7, 8, 8, 3), dtype=np.uint8)
    network = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten()).eval()
    results = [embed(network, images, Embedding(side=8, batch_size=b), torch.device("cpu")) for b in (2, 7)]
    assert results[0].shape == (7, 4) and results[0].dtype == np.float32
    np.testing.assert_allclose(*results, rtol=1e-5, atol=1e-6)
