"""Parameters that start from weights: `pretrain.init`, and the `backbone` whose sub-nets are that network."""

from io import StringIO
from pathlib import Path
from tempfile import TemporaryDirectory

from sdr.base.profiles import yaml_round_trip
from sdr.compare.start import open_start
from sdr.nets.adopt import in_words
from sdr.nets.start import PREFIX


def starting_from(init: str, text: str) -> str:
    """Return the text of params.yaml with these two; `backbone.groups` stays.

    Args:
        init: `timm:NAME`, or a folder.

    Raises:
        UserError: there is no such network, or no sub-net could be it.
    """
    yaml = yaml_round_trip()
    params = yaml.load(text)
    if not init.startswith(PREFIX):
        init = str(Path(init).resolve())
    with TemporaryDirectory() as folder:
        spec = open_start(init, {}, params["backbone"]["groups"], 0, Path(folder), weights=False).spec
    params["pretrain"]["init"] = init
    for key, value in spec.model_dump().items():
        if isinstance(value, list):
            params["backbone"][key][:] = value
        else:
            params["backbone"][key] = value
    widths = "-".join(map(str, spec.supernet_widths))
    for key, why in (("block", f"of {init}"), ("group", f"so a sub-net is {in_words(spec)}, and W_0 {widths}")):
        params["backbone"].yaml_add_eol_comment(why, key, column=26)
    out = StringIO()
    yaml.dump(params, out)
    return out.getvalue()
