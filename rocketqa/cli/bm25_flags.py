"""The flags of BM25, of the script that makes its run and of the verb that makes its index."""

from argparse import ArgumentParser, Namespace

from rocketqa.cli.flags import NumberType, to_text
from rocketqa.files.ranges import FROM_0, WEIGHT
from rocketqa.search.bm25 import K1, B, Bm25Settings


def add_formula_flags(parser: ArgumentParser) -> None:
    """Adds the parameters of the formula."""
    parser.add_argument(
        "--k1",
        type=NumberType(FROM_0),
        default=K1,
        help="how much a term that is repeated in a passage adds (default: %(default)s)",
    )
    parser.add_argument(
        "--b",
        type=NumberType(WEIGHT),
        default=B,
        help="how much a long passage loses, 0 to 1 (default: %(default)s)",
    )


def add_bm25_flags(parser: ArgumentParser) -> None:
    """Adds the parameters of BM25."""
    add_formula_flags(parser)
    parser.add_argument(
        "--stemmer",
        type=to_text,
        metavar="NAME",
        help="take the endings off words: a stemmer of PyStemmer, such as english, porter (which "
        "Anserini has), german or french; it leaves Chinese as it is (default: none)",
    )


def bm25_settings(args: Namespace) -> Bm25Settings:
    """Returns the parameters that a command line names."""
    return Bm25Settings(args.k1, args.b, args.stemmer or "")


def flags_of_default(args: Namespace) -> list[str]:
    """Returns the flags with their default: a job without them is the same job."""
    defaults = Bm25Settings()._asdict().items()
    given = bm25_settings(args)._asdict()
    return [name for name, default in defaults if given[name] == default]
