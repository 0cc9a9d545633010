"""Train a cross encoder on labelled query-passage pairs (section 3.4, step 2)."""
from argparse import ArgumentParser

from rocketqa.flags import add_training_flags, text_length
from rocketqa.formats import read_collection, read_pairs, read_queries


def build_parser() -> ArgumentParser:
    """Returns the verb's flags."""
    parser = ArgumentParser("rocketqa train-cross-encoder", description=__doc__)
    add_training_flags(parser)
    parser.add_argument("--max-length", type=text_length, default=160, help="tokens of a pair, special ones included")
    return parser


def main(argv: list[str] | None = None) -> int:
    """Runs the verb and returns its exit status."""
    args = build_parser().parse_args(argv)
    from rocketqa.training import run_training

    return run_training("train-cross-encoder", args, prepare)


def prepare(args):
    """Returns the encoder to start from, the number of pairs, and the loss of a step."""
    from rocketqa.batches import CrossBatches
    from rocketqa.cross_encoder import CrossEncoder, loss_and_accuracy
    from rocketqa.pretrained import load_pretrained
    from rocketqa.tokenizer import text_encoder_of
    from rocketqa.training import Start

    encoder = load_pretrained(args.init, args.layer_norm_eps)
    batches = CrossBatches(read_pairs(*args.examples), read_queries(*args.queries), read_collection(args.collection),
                           text_encoder_of(encoder.tokenizer_files), args.max_length)

    def step_loss(model, indices):
        pairs, labels = batches.rows(indices)
        return loss_and_accuracy(model(pairs), labels)

    weights = CrossEncoder.from_encoder_weights(encoder.weights, encoder.config, args.seed)
    return Start(CrossEncoder(encoder.config), weights, encoder.tokenizer_files), len(batches.pairs), step_loss
