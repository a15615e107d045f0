"""Stage `prepare_detection@NAME`: one set of images with boxes."""

from sdr.base.errors import program
from sdr.base.names import entry
from sdr.base.outputs import output_dir
from sdr.base.params import load
from sdr.detect.prepare import prepare_detection
from sdr.detect.sets import DetectionSpec
from sdr.sources.watched import listed_files


@program
def main() -> None:
    name = entry("detection")
    key = f"detection__{name}"
    params = load(**{key: DetectionSpec, "data__max_bad_fraction": float})
    files = listed_files("detection", name)
    with output_dir(f"artifacts/detection/{name}") as target:
        meta = prepare_detection(name, params[key], params["data__max_bad_fraction"], files, target)
    sizes = ((split, sum(meta["images"][part] for part in parts)) for split, parts in meta["splits"].items())
    print(
        f"{name}: "
        + ", ".join(f"{size:,} {split}" for split, size in sizes)
        + f" images, {len(meta['classes'])} classes"
    )
    if meta["clipped"] or meta["skipped"]:
        print(f"  {len(meta['skipped']):,} pictures left out, boxes clipped in {len(meta['clipped']):,} annotations")
    if meta["zero"]:
        print(
            f"warning: {name}: VOC counts pixels from 1, and {len(meta['zero']):,} annotations have an xmin or ymin of 0, "
            f"such as {meta['zero'][0]}: if the set counts from 0, all boxes are a pixel off; for a set of your own (with "
            f"`path`) write detection.{name}.first_pixel: 0"
        )
    for pair, same in meta["overlap"].items():
        if same:
            print(f"warning: {name}: {len(same):,} images are in both splits of {pair}, such as {same[0]}")


if __name__ == "__main__":
    main()
