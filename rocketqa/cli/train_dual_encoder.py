"""Train a dual encoder with cross-batch negatives (section 3.3.1), on one device or under a launch."""
from argparse import ArgumentParser

from rocketqa.flags import add_text_flags, add_training_flags
from rocketqa.formats import read_collection, read_examples, read_queries


def build_parser() -> ArgumentParser:
    """Returns the verb's flags."""
    parser = ArgumentParser("rocketqa train-dual-encoder", description=__doc__)
    add_training_flags(parser)
    add_text_flags(parser)
    parser.add_argument("--negatives", choices=("cross-batch", "in-batch"), default="cross-batch",
                        help="passages of all devices, or only of the own one")
    return parser


def main(argv: list[str] | None = None) -> int:
    """Runs the verb and returns its exit status."""
    args = build_parser().parse_args(argv)
    from rocketqa.training import run_training

    return run_training("train-dual-encoder", args, prepare)


def prepare(args):
    """Returns the twin towers to start from, the number of examples, and the loss of a step."""
    from rocketqa.batches import DualBatches
    from rocketqa.cross_batch_negatives import loss_and_accuracy
    from rocketqa.dual_encoder import DualEncoder
    from rocketqa.pretrained import load_pretrained
    from rocketqa.tokenizer import text_encoder_of
    from rocketqa.training import Start

    encoder = load_pretrained(args.init, args.layer_norm_eps)
    batches = DualBatches(read_examples(*args.examples), read_queries(*args.queries),
                          read_collection(args.collection), text_encoder_of(encoder.tokenizer_files),
                          args.query_length, args.passage_length)

    def step_loss(model, indices):
        q_reps, p_reps = model(*batches.rows(indices))
        return loss_and_accuracy(q_reps, p_reps, args.negatives == "cross-batch")

    weights = DualEncoder.from_encoder_weights(encoder.weights)
    return Start(DualEncoder(encoder.config), weights, encoder.tokenizer_files), len(batches.examples), step_loss
