"""Stage `manifest_corpus`: the files that the corpus is made of."""

from sdr.base.errors import program
from sdr.base.names import no_entry
from sdr.base.params import load
from sdr.sources.corpus_files import look
from sdr.sources.watched import write_manifest


@program
def main() -> None:
    no_entry()
    print(write_manifest(look(load(data__source=str)["data__source"])))


if __name__ == "__main__":
    main()
