"""Which params.yaml was found right last, and by which code: kept beside the scratch files."""

import hashlib
from contextlib import suppress
from pathlib import Path

from sdr.base.outputs import output_file, scratch

_ROOT = Path(__file__).parents[2]


def key() -> str:
    """Digest of params.yaml and of the code that checks it: newer code may ask for more."""
    digest = hashlib.sha256()
    for file in [Path("params.yaml"), _ROOT / "tools/rules.py", *sorted((_ROOT / "sdr").rglob("*.py"))]:
        with suppress(OSError):  # whoever reads parameters says so
            digest.update(file.name.encode() + hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()


def is_known(key: str) -> bool:
    """Whether it was found right last."""
    try:
        return _marker().read_text() == key
    except (OSError, UnicodeDecodeError):
        return False


def keep(key: str) -> None:
    """Note that it was found right. Where nothing can be written it is checked anew the next time."""
    with suppress(OSError), output_file(_marker()) as partial:
        partial.write_text(key)


def _marker() -> Path:
    return scratch() / "checked"
