"""The self-supervised methods by name."""

from typing import Literal

from sdr.nets.backbone import Backbone
from sdr.nets.heads import Heads
from sdr.ssl.byol import Byol
from sdr.ssl.simclr import Contrast, SimClr
from sdr.ssl.simsiam import SimSiam

Method = Literal["simsiam", "byol", "simclr"]
CLASSES = {cls.method: cls for cls in (SimSiam, Byol, SimClr)}


def build(
    method: Method, spec: Backbone, widths: tuple[int, ...], heads: Heads, contrast: Contrast | None = None
) -> SimSiam:
    """A network of this method with a backbone of these widths; `contrast` is needed to train with SimCLR alone."""
    if method == "simclr":
        return SimClr(spec, widths, heads, contrast)
    return CLASSES[method](spec, widths, heads)
