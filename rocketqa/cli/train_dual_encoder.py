"""Train a dual encoder with cross-batch negatives (section 3.3.1), on one device or under a launch."""

from argparse import ArgumentParser
from pathlib import Path

from rocketqa.cli.flags import add_text_flags, add_training_flags
from rocketqa.files.formats import read_examples, read_positives
from rocketqa.files.rows import Check
from rocketqa.jobs.paths import InputPath


def build_parser() -> ArgumentParser:
    """Returns the verb's flags."""
    parser = ArgumentParser("rocketqa train-dual-encoder", description=__doc__)
    add_training_flags(parser)
    add_text_flags(parser)
    parser.add_argument(
        "--negatives",
        choices=("cross-batch", "in-batch"),
        default="cross-batch",
        help="passages of all devices and chunks, or only of the own one",
    )
    parser.add_argument(
        "--mask-positives",
        type=InputPath,
        nargs="+",
        metavar="QRELS",
        help="take no passage for a negative that these, or the examples, name as a positive",
    )
    return parser


def main(argv: list[str] | None = None) -> int:
    """Runs the verb and returns its exit status."""
    args = build_parser().parse_args(argv)
    from rocketqa.training.loop import run_training

    return run_training("train-dual-encoder", args, prepare)


def prepare(args):
    """Returns what is learnt: the twin towers to start from, the examples, the loss of a step."""
    from rocketqa.cross_batch_negatives import backward
    from rocketqa.dual_encoder import DualEncoder
    from rocketqa.text.token_store import open_collection, open_queries
    from rocketqa.text.tokenizer import text_encoder_of
    from rocketqa.training.batches import DualBatches
    from rocketqa.training.dev_measure import dual_encoder_mrr
    from rocketqa.training.loop import Start, Task
    from rocketqa.weights.pretrained import load_pretrained

    encoder = load_pretrained(
        args.init,
        "DualEncoder",
        layer_norm_eps=args.layer_norm_eps,
        representation=args.representation,
    )
    text_encoder = text_encoder_of(encoder.tokenizer_files)
    queries = open_queries([Path(path) for path in args.queries], text_encoder)
    collection = open_collection(Path(args.collection), text_encoder)
    check = Check(query_ids=queries, passage_ids=collection)
    texts = (queries, collection, text_encoder, args.query_length, args.passage_length)
    positives = read_positives(*args.mask_positives) if args.mask_positives else None
    batches = DualBatches(read_examples(*args.examples, check=check), *texts, positives)
    dev = (
        DualBatches(read_examples(args.dev_examples, check=check), *texts)
        if args.dev_examples
        else None
    )

    def backward_of_step(model, chunks, chunk_context, loss_scale, barrier):
        return backward(
            lambda chunk: model(chunk.queries, chunk.passages),
            chunks,
            chunk_context,
            loss_scale,
            barrier,
            args.negatives == "cross-batch",
        )

    return Task(
        Start(
            DualEncoder(encoder.config),
            DualEncoder.from_encoder_weights(encoder.weights),
            encoder.tokenizer_files,
        ),
        len(batches.examples),
        batches.query_ids,
        batches.rows,
        backward_of_step,
        dev and (lambda model: dual_encoder_mrr(model, dev)),
    )
