"""What the baseline starts from, where that is not nothing: the weights that `pretrain.init` names → artifacts/start."""

from pathlib import Path
from tempfile import TemporaryDirectory

from sdr.base.errors import program
from sdr.base.names import no_entry
from sdr.base.outputs import output_dir, write_json
from sdr.base.params import load, machine
from sdr.nets.start import RANDOM, WHERE


@program
def main() -> None:
    no_entry()
    init = load(pretrain__init=str)["pretrain__init"]
    print(f"start: {from_nothing() if init == RANDOM else from_network(init)}")


def from_nothing() -> str:
    """Write that weights are drawn; return that in words."""
    with output_dir(WHERE) as out:
        write_json(out / "config.json", {"init": RANDOM})
    return "nothing: weights are drawn"


def from_network(init: str) -> str:
    """Write the network that `init` names; return what it is, in words."""
    from sdr.compare.compare import CompareSpec  # what imports torch, which the default does without
    from sdr.compare.start import open_start
    from sdr.nets.adopt import check_same, in_words
    from sdr.nets.backbone import Backbone
    from sdr.ssl.start import save_start

    params = load(seed=int, backbone=Backbone)
    # No stage declares all of `compare`, or each new entry would train anew: `tools.refresh` sees when the one that counts changes.
    spec, entries = params["backbone"], machine("compare", dict[str, CompareSpec])
    with TemporaryDirectory() as folder:
        found = open_start(init, entries, spec.groups, params["seed"], Path(folder))
        check_same(found.spec, spec, init)
        with output_dir(WHERE) as out:
            save_start(out, found.backbone, found.head, found.facts | {"entry": machine("compare", dict).get(init)})
    return f"{init}, {in_words(spec)}; {'with' if found.head else 'without'} a head"


if __name__ == "__main__":
    main()
