"""Stage `prepare`: the unlabelled corpus, described and stored."""

from sdr.base.errors import program
from sdr.base.outputs import output_dir
from sdr.base.params import load
from sdr.sources.corpus import Data, prepare


@program
def main() -> None:
    data = load(data=Data)["data"]
    with output_dir("artifacts/data") as target:
        meta = prepare(data, target)
    domains = meta["domains"]
    largest = sorted(domains, key=domains.get, reverse=True)[:12]
    print(f"corpus: {meta['n']:,} images; domains: {len(domains)}")
    print("  " + ", ".join(f"{domain} {domains[domain]:,}" for domain in largest))
    print(f"  left out: {meta['duplicates_dropped']:,} near-duplicates, {len(meta['skipped']):,} unreadable files")
    for warning in meta["warnings"]:
        print(f"warning: corpus: {warning}")


if __name__ == "__main__":
    main()
