"""Stage `manifest_detection@NAME`: the files that a detection set is made of."""

from sdr.base.errors import program
from sdr.base.names import entry
from sdr.base.params import load
from sdr.detect.files import look
from sdr.detect.sets import DetectionSpec
from sdr.sources.watched import write_manifest


@program
def main() -> None:
    name = entry("detection")
    key = f"detection__{name}"
    print(write_manifest(look(name, load(**{key: DetectionSpec})[key])))


if __name__ == "__main__":
    main()
