"""A network to compare with, from wherever it is → artifacts/backbones/NAME."""

import sys

from sdr.base.errors import UserError, program
from sdr.base.outputs import output_dir
from sdr.base.params import load
from sdr.compare.compare import CompareSpec
from sdr.compare.make_backbone import make_backbone
from sdr.nets.backbone import Backbone


@program
def main() -> None:
    if len(sys.argv) != 2:
        raise UserError("usage: python -m stages.backbone NAME, one of `compare` in params.yaml")
    name = sys.argv[1]
    key = f"compare__{name}"
    params = load(seed=int, backbone=Backbone, **{key: CompareSpec})
    with output_dir(f"artifacts/backbones/{name}") as out:
        facts = make_backbone(name, params[key], params["backbone"], params["seed"], out)
    print(f"backbone {name}: " + ", ".join(f"{key} {value}" for key, value in facts.items()))


if __name__ == "__main__":
    main()
