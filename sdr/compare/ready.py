"""Ready networks as people name them: `timm:NAME`, an entry of `compare`, or a folder that timm loads."""

from collections.abc import Mapping
from pathlib import Path

from sdr.base.errors import UserError
from sdr.compare.compare import CompareSpec, Random, RawPixels, Timm, Torchvision
from sdr.compare.make_backbone import make_backbone
from sdr.nets.start import PREFIX


def get_ready(text: str, option: str, folder: Path, weights: bool = True) -> Path:
    """Return the folder of a ready backbone; one of timm's is written into the empty directory `folder`.

    Args:
        text: `timm:NAME`, with or without a tag, or the path of a folder.
        option: what it was given to, for messages.
        weights: false: timm's network as it is drawn, so that nothing is downloaded.

    Raises:
        UserError: timm has no such network, or its weights cannot be had.
    """
    if not text.startswith(PREFIX):
        return Path(text)
    name = text.removeprefix(PREFIX)
    if not name.replace(".", "").replace("_", "").isalnum():
        raise UserError(f"{option} {text}: no name of a network of timm's; `timm.list_models()` lists them")
    try:
        make_backbone("ready", Timm(source="timm", model=name, pretrained=weights), None, 0, folder)
    except UserError as error:
        said = str(error).partition(" Offline:")[0].replace("compare.ready", f"{option} {text}")
        offline = " Offline: save it elsewhere with `timm.models.save_for_hf(model, folder)` and give that folder."
        raise UserError(f"{said}{offline * weights}") from None
    return folder


def get_entry(name: str, entries: Mapping[str, CompareSpec], seed: int, folder: Path, weights: bool = True) -> Path:
    """The same of an entry of `compare`; `seed`: of weights that it draws.

    Raises:
        UserError: it cannot be had, or it is no network that was trained.
    """
    spec = entries[name]
    if isinstance(spec, RawPixels | Random):
        raise UserError(f"compare.{name}: source {spec.source} is no network that was trained; name another entry")
    if not weights and isinstance(spec, Timm):
        spec = spec.model_copy(update={"pretrained": False})
    if not weights and isinstance(spec, Torchvision):
        spec = spec.model_copy(update={"weights": None})
    make_backbone(name, spec, None, seed, folder)
    return folder
