"""What `rocketqa benchmark` measures: the same work on the same weights and texts, by us and by others.

Each is a process of its own that does a round when told and says how long it took, so that rounds alternate. Work:

    encode    passages to vectors, tokenising included
    score     pairs to relevance, tokenising included
    train     steps of queries with a positive and a random negative each, tokenising included
"""

import json
import multiprocessing
import os
import random
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from rocketqa.files.errors import DataError
from rocketqa.files.formats import Passage, iterate_collection, read_queries

LENGTHS = {"query_length": 32, "passage_length": 128, "max_length": 160}
TOKENS_A_BATCH = 2048
ROWS_A_BATCH = 32  # of the others: sentence-transformers' default


class Texts(NamedTuple):
    """As many passages, and queries, as rows are asked for, drawn from real ones."""

    passages: list[Passage]
    queries: list[str]


def drawn_texts(collection: Path, queries: Path, rows: int) -> Texts:
    """Returns texts in random order, the same each time."""
    passages, texts = (
        list(iterate_collection(collection)),
        [query.text for query in read_queries(queries).values()],
    )
    drawing = random.Random(1)
    if min(len(passages), len(texts)) < rows:
        raise DataError(
            f"{collection}: expected {rows} passages and queries to draw from, got {len(passages)} and "
            f"{len(texts)}"
        )
    return Texts(drawing.sample(passages, rows), drawing.sample(texts, rows))


# Each maker returns what does one round of the work.


def ours(work: str, weights: str, texts: Texts, precision: str = "float32") -> Callable[[], object]:
    """This package."""
    from rocketqa.cross_encoder import CrossEncoder
    from rocketqa.dual_encoder import DualEncoder
    from rocketqa.inference.engine import Engine
    from rocketqa.text.tokenizer import text_encoder_of
    from rocketqa.weights.checkpoint import set_weights
    from rocketqa.weights.pretrained import load_pretrained

    source = load_pretrained(weights)
    encoder = text_encoder_of(source.tokenizer_files)
    if work == "score":
        model = CrossEncoder(source.config)
        set_weights(
            model, CrossEncoder.from_encoder_weights(source.weights, source.config, 1), weights
        )
    else:
        model = DualEncoder(source.config)
        set_weights(model, DualEncoder.from_encoder_weights(source.weights), weights)
    if work == "train":
        return _training(model, encoder, texts)
    engine = Engine(model if work == "score" else model.passage_encoder, precision)

    def round_() -> object:
        rows = (
            encoder.pairs(texts.queries, texts.passages, LENGTHS["max_length"])
            if work == "score"
            else encoder.passages(texts.passages, LENGTHS["passage_length"])
        )
        return engine.all(rows, TOKENS_A_BATCH)

    return round_


def _training(model, encoder, texts: Texts) -> Callable[[], object]:
    from rocketqa.encoder.packing import pack
    from rocketqa.training.batches import DualRows
    from rocketqa.training.optimizer import adam

    model.train()
    optimizer = adam(model, 0.0)
    optimizer.set_lr(1e-5)

    def round_() -> None:
        for queries, positives, negatives in training_batches(texts):
            take_step(
                model,
                optimizer,
                [
                    DualRows(
                        pack(encoder.queries(queries, LENGTHS["query_length"])),
                        pack(encoder.passages(positives + negatives, LENGTHS["passage_length"])),
                        None,
                    )
                ],
            )

    return round_


def take_step(model, optimizer, chunks: list) -> None:
    """Takes a step of the dual encoder on one device."""
    from rocketqa.cross_batch_negatives import backward
    from rocketqa.training.optimizer import clip

    backward(
        lambda chunk: model(chunk.queries, chunk.passages),
        chunks,
        _seeded,
        1.0,
        lambda: None,
        cross_batch=True,
    )
    clip(model, 1.0)
    optimizer.step()
    optimizer.clear_grad()


@contextmanager
def _seeded(chunk: int) -> Iterator[None]:
    """Gives a chunk its dropout."""
    import paddle

    paddle.seed(chunk)
    yield


def training_batches(texts: Texts) -> list[tuple[list[str], list[Passage], list[Passage]]]:
    """Returns queries, a passage each, and another passage each, 32 a step."""
    return [
        (
            texts.queries[begin : begin + ROWS_A_BATCH],
            texts.passages[begin : begin + ROWS_A_BATCH],
            texts.passages[begin + ROWS_A_BATCH : begin + 2 * ROWS_A_BATCH],
        )
        for begin in range(0, len(texts.queries) - ROWS_A_BATCH, 2 * ROWS_A_BATCH)
    ]


def plain(work: str, weights: str, texts: Texts) -> Callable[[], object]:
    """A plain loop on PaddleNLP's ErnieModel: rows by length, padded to the longest of a batch."""
    import numpy as np
    import paddle
    import paddle.nn.functional as F
    from paddlenlp.transformers import ErnieConfig, ErnieModel

    from rocketqa.text.tokenizer import text_encoder_of
    from rocketqa.weights.pretrained import load_pretrained

    source = load_pretrained(weights)
    encoder = text_encoder_of(source.tokenizer_files)
    models = [
        ErnieModel(ErnieConfig(**source.config._asdict()))
        for _ in range(2 if work == "train" else 1)
    ]
    for model in models:
        model.set_state_dict(
            {name: paddle.to_tensor(value) for name, value in source.weights.items()}
        )
        model.train() if work == "train" else model.eval()

    def first_tokens(model, rows) -> paddle.Tensor:
        longest = max(len(row.token_ids) for row in rows)
        ids, types = (
            paddle.to_tensor(
                np.stack([np.pad(values, (0, longest - len(values))) for values in column])
            )
            for column in zip(*rows)
        )
        return model(ids, token_type_ids=types, attention_mask=(ids != 0).astype("int64"))[0][:, 0]

    if work == "train":
        parameters = [parameter for model in models for parameter in model.parameters()]
        optimizer = paddle.optimizer.AdamW(
            1e-5,
            parameters=parameters,
            weight_decay=0.0,
            grad_clip=paddle.nn.ClipGradByGlobalNorm(1.0),
        )

        def steps() -> None:
            for queries, positives, negatives in training_batches(texts):
                q = first_tokens(models[0], encoder.queries(queries, LENGTHS["query_length"]))
                p = first_tokens(
                    models[1], encoder.passages(positives + negatives, LENGTHS["passage_length"])
                )
                F.cross_entropy(
                    paddle.matmul(q, p, transpose_y=True), paddle.arange(len(queries))
                ).backward()
                optimizer.step()
                optimizer.clear_grad()

        return steps

    def round_() -> None:
        rows = (
            encoder.pairs(texts.queries, texts.passages, LENGTHS["max_length"])
            if work == "score"
            else encoder.passages(texts.passages, LENGTHS["passage_length"])
        )
        rows.sort(key=lambda row: len(row.token_ids))
        with paddle.no_grad():
            for begin in range(0, len(rows), ROWS_A_BATCH):
                first_tokens(models[0], rows[begin : begin + ROWS_A_BATCH]).numpy()

    return round_


def sentence_transformers(
    work: str, weights: str, texts: Texts, dtype: str
) -> Callable[[], object]:
    """sentence-transformers on PyTorch, first-token vectors; its cross encoder; two of its models in training."""
    import torch
    from sentence_transformers import CrossEncoder, SentenceTransformer, models

    torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
    joined = [f"{passage.title} {passage.text}" for passage in texts.passages]
    if work == "score":
        ranker = CrossEncoder(
            weights,
            num_labels=2,
            max_length=LENGTHS["max_length"],
            device="cpu",
            model_kwargs={"torch_dtype": getattr(torch, dtype)},
        )
        return lambda: ranker.predict(
            list(zip(texts.queries, joined)), batch_size=ROWS_A_BATCH, show_progress_bar=False
        )

    def tower(length: int) -> SentenceTransformer:
        words = models.Transformer(weights, max_seq_length=length)
        pooling = models.Pooling(words.get_word_embedding_dimension(), pooling_mode="cls")
        return SentenceTransformer(modules=[words, pooling], device="cpu").to(getattr(torch, dtype))

    passages = tower(LENGTHS["passage_length"])
    if work == "encode":
        return lambda: passages.encode(joined, batch_size=ROWS_A_BATCH, show_progress_bar=False)
    queries = tower(LENGTHS["query_length"])
    both = torch.nn.ModuleList([queries, passages]).train()
    optimizer = torch.optim.AdamW(both.parameters(), lr=1e-5)

    def vectors(model: SentenceTransformer, rows: list[str]):
        return model(model.tokenize(rows))["sentence_embedding"]

    def round_() -> None:
        for asked, positives, negatives in training_batches(texts):
            rows = [f"{passage.title} {passage.text}" for passage in positives + negatives]
            scores = vectors(queries, asked) @ vectors(passages, rows).T
            torch.nn.functional.cross_entropy(scores.float(), torch.arange(len(asked))).backward()
            torch.nn.utils.clip_grad_norm_(both.parameters(), 1.0)
            optimizer.step()
            optimizer.zero_grad()

    return round_


ONE_THREAD = "ours, one thread"
PEERS = {
    "ours": ours,
    "ours, reduced": lambda *of: ours(*of, "reduced"),
    ONE_THREAD: ours,
    "padded PaddleNLP": plain,
    "sentence-transformers float32": lambda *of: sentence_transformers(*of, "float32"),
    "sentence-transformers bfloat16": lambda *of: sentence_transformers(*of, "bfloat16"),
}

TRAINED = ("ours", ONE_THREAD, "padded PaddleNLP", "sentence-transformers float32")


def installed(python: str) -> bool:
    """Returns whether an interpreter has sentence-transformers; says so where it has not."""
    there = (
        subprocess.run(
            [python, "-c", "import sentence_transformers"], capture_output=True
        ).returncode
        == 0
    )
    if not there:
        print(
            f"{python}: no sentence-transformers there, so it is left out (the extra `bench`, or --peers-python)",
            file=sys.stderr,
        )
    return there


def rows_of_round(work: str, rows: int) -> int:
    """Returns how many passages, pairs or (in training) queries a round of `rows` drawn texts takes."""
    return (
        rows
        if work != "train"
        else ROWS_A_BATCH * len(range(0, rows - ROWS_A_BATCH, 2 * ROWS_A_BATCH))
    )


class Peer:
    """A process that does rounds of one work when told."""

    def __init__(
        self,
        name: str,
        work: str,
        weights: str,
        collection: Path,
        queries: Path,
        rows: int,
        python: str,
    ):
        self.name = name
        self.process = subprocess.Popen(
            [
                python,
                "-m",
                "rocketqa.cli",
                "benchmark",
                "speed",
                "--peer",
                name,
                work,
                weights,
                str(collection),
                str(queries),
                str(rows),
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=os.environ
            | {"PYTHONPATH": str(Path(__file__).parents[2])}
            | ({"OMP_NUM_THREADS": "1"} if name == ONE_THREAD else {}),
        )

    def round(self) -> dict[str, float]:
        """Returns the seconds of one round and the peak memory so far, in bytes."""
        self.process.stdin.write("go\n")
        self.process.stdin.flush()
        for line in self.process.stdout:
            if line.startswith("{"):
                return json.loads(line)
        said = self.process.stderr.read().splitlines() or ["nothing"]
        raise DataError(f"benchmark: expected {self.name} to work, got {said[-1]}")

    def end(self) -> None:
        """Ends the process."""
        self.process.stdin.close()
        self.process.wait()


def work_when_told(
    name: str, work: str, weights: str, collection: str, queries: str, rows: str
) -> None:
    """Does a round for each line that comes in."""
    round_ = PEERS[name](work, weights, drawn_texts(Path(collection), Path(queries), int(rows)))
    for _ in sys.stdin:
        begin = time.perf_counter()
        round_()
        seconds = time.perf_counter() - begin
        print(json.dumps({"seconds": seconds, "peak": peak_memory()}), flush=True)


def peak_memory() -> int:
    """Returns the most memory of this process and of those at work for it, in bytes."""
    children = [child.pid for child in multiprocessing.active_children()]
    told = [
        Path(f"/proc/{process}/status").read_text(encoding="utf-8")
        for process in ("self", *children)
    ]
    return sum(int(re.search(r"VmHWM:\s+(\d+) kB", status)[1]) * 1024 for status in told)
