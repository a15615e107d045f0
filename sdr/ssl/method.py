"""The self-supervised methods by name."""

from typing import Literal

from sdr.nets.backbone import Backbone
from sdr.nets.heads import Heads
from sdr.ssl.byol import Byol
from sdr.ssl.simsiam import SimSiam

Method = Literal["simsiam", "byol"]
CLASSES = {cls.method: cls for cls in (SimSiam, Byol)}


def build(method: Method, spec: Backbone, widths: tuple[int, ...], heads: Heads) -> SimSiam:
    """A network of this method with a backbone of these widths."""
    return CLASSES[method](spec, widths, heads)
