"""Stage `manifest_detection@NAME`: the files that a detection set is made of."""

import sys

from sdr.base.errors import UserError, program
from sdr.base.params import load
from sdr.detect.files import look
from sdr.detect.sets import DetectionSpec
from sdr.sources.watched import write_manifest
from sdr.tasks.task import check_name


@program
def main() -> None:
    if len(sys.argv) != 2:
        raise UserError("usage: python -m stages.manifest_detection NAME, one of `detection` in params.yaml")
    name = sys.argv[1]
    check_name("detection", name)
    key = f"detection__{name}"
    print(write_manifest(look(name, load(**{key: DetectionSpec})[key])))


if __name__ == "__main__":
    main()
