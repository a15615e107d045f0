"""Stage `prepare`: the unlabelled corpus, described and stored."""

from sdr.base.errors import program
from sdr.base.names import no_entry
from sdr.base.outputs import output_dir
from sdr.base.params import load
from sdr.sources.corpus import Data, prepare
from sdr.sources.corpus_files import look
from sdr.sources.manifest import Files
from sdr.sources.watched import CORPUS, listed_files, manifest_path, write_manifest


@program
def main() -> None:
    no_entry()
    data = load(data=Data)["data"]
    with output_dir("artifacts/data") as target:
        meta = prepare(data, target, corpus_manifest(data.source))
    domains = meta["domains"]
    largest = sorted(domains, key=domains.get, reverse=True)[:12]
    print(f"corpus: {meta['n']:,} images; domains: {len(domains)}")
    print("  " + ", ".join(f"{domain} {domains[domain]:,}" for domain in largest))
    print(f"  left out: {meta['duplicates_dropped']:,} near-duplicates, {len(meta['skipped']):,} unreadable files")
    for warning in meta["warnings"]:
        print(f"warning: corpus: {warning}")


def corpus_manifest(source: str) -> Files:
    """The manifest of the corpus. Where there is none yet, as with `dvc repro --single-item --force prepare`, the files are
    listed as they are now: what DVC notes of this run then still tells whose folder it was."""
    if not manifest_path("data", CORPUS).exists():
        print(write_manifest(look(source)))
    return listed_files("data", CORPUS)


if __name__ == "__main__":
    main()
