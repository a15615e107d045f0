"""A network to compare with, from wherever it is → artifacts/backbones/NAME."""

from sdr.base.errors import program
from sdr.base.names import entry
from sdr.base.outputs import output_dir
from sdr.base.params import load
from sdr.compare.compare import CompareSpec
from sdr.compare.make_backbone import make_backbone
from sdr.nets.backbone import Backbone


@program
def main() -> None:
    name = entry("compare")
    key = f"compare__{name}"
    params = load(seed=int, backbone=Backbone, **{key: CompareSpec})
    with output_dir(f"artifacts/backbones/{name}") as out:
        facts = make_backbone(name, params[key], params["backbone"], params["seed"], out)
    print(f"backbone {name}: " + ", ".join(f"{key} {value}" for key, value in facts.items()))


if __name__ == "__main__":
    main()
