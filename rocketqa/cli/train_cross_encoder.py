"""Train a cross encoder on labelled query-passage pairs (section 3.4, step 2)."""

from argparse import ArgumentParser
from pathlib import Path

from rocketqa.cli.flags import add_training_flags, text_length
from rocketqa.files.formats import read_pairs
from rocketqa.files.rows import Check


def build_parser() -> ArgumentParser:
    """Returns the verb's flags."""
    parser = ArgumentParser("rocketqa train-cross-encoder", description=__doc__)
    add_training_flags(parser)
    parser.add_argument(
        "--max-length",
        type=text_length,
        default=160,
        help="tokens of a pair, special ones included",
    )
    parser.add_argument(
        "--fgm",
        type=float,
        default=0.0,
        metavar="EPSILON",
        help="train on word embeddings shifted so far along the gradient (released code: 0.01; 0: not)",
    )
    return parser


def main(argv: list[str] | None = None) -> int:
    """Runs the verb and returns its exit status."""
    args = build_parser().parse_args(argv)
    from rocketqa.training.loop import run_training

    return run_training("train-cross-encoder", args, prepare)


def prepare(args):
    """Returns what is learnt: the encoder to start from, the pairs, the loss of a step."""
    from rocketqa.cross_encoder import CrossEncoder, backward
    from rocketqa.text.token_store import open_collection, open_queries
    from rocketqa.text.tokenizer import text_encoder_of
    from rocketqa.training.batches import CrossBatches
    from rocketqa.training.dev_measure import cross_encoder_mrr
    from rocketqa.training.loop import Start, Task
    from rocketqa.weights.pretrained import load_pretrained

    encoder = load_pretrained(
        args.init,
        "CrossEncoder",
        layer_norm_eps=args.layer_norm_eps,
        representation=args.representation,
    )
    text_encoder = text_encoder_of(encoder.tokenizer_files)
    queries = open_queries([Path(path) for path in args.queries], text_encoder)
    collection = open_collection(Path(args.collection), text_encoder)
    check = Check(query_ids=queries, passage_ids=collection)
    texts = (queries, collection, text_encoder, args.max_length)
    batches = CrossBatches(read_pairs(*args.examples, check=check), *texts)
    dev = (
        CrossBatches(read_pairs(args.dev_examples, check=check), *texts)
        if args.dev_examples
        else None
    )
    weights = CrossEncoder.from_encoder_weights(encoder.weights, encoder.config, args.seed)
    return Task(
        Start(CrossEncoder(encoder.config), weights, encoder.tokenizer_files),
        len(batches.pairs),
        batches.query_ids,
        batches.rows,
        lambda *step, barrier: backward(*step, args.fgm),
        dev and (lambda model: cross_encoder_mrr(model, dev)),
    )
