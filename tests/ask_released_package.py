"""What the released package itself answers, for tests/released_answers.json: its own code on the Paddle of its time.

    python3.7 -m venv OLD && OLD/bin/pip install paddlepaddle==1.8.5 'protobuf<3.21' numpy scipy six tqdm
    OLD/bin/pip install --no-deps rocketqa==1.1.0
    python tests/released_fixture.py FOLDER                                      # small models in the released layout
    OLD/bin/python tests/ask_released_package.py FOLDER > tests/released_answers.json

Must run on Python 3.7. The package asks Paddle to be static; that of 1.8.5 always is.
"""

import json
import os
import random
import sys

TEXTS = {
    False: {
        "query": ["when is the dog home", "the cat sat", "a mat"],
        "title": ["dog", "a cat", "-"],
        "para": ["the dog ran home", "the cat sat on a mat far home on a mat", "xylophone"],
    },
    True: {
        "query": ["猫 坐在 垫子上 吗", "狗"],
        "title": ["狗", "猫 坐"],
        "para": ["狗跑 得很远", "猫坐在垫子上 狗跑得很远 远远远"],
    },
}
TRAINED, EPOCHS, RATE, ROWS = "separate", 10, 1e-3, 16  # 16 rows: it counts them in sixteens


def rows(count):
    """Returns training rows for a dual encoder, random."""
    drawing = random.Random(1)

    def text(words):
        return " ".join(
            drawing.choice("the cat sat on a mat dog ran far home when is".split())
            for _ in range(words)
        )

    return "".join(
        "\t".join(
            (
                text(4),
                drawing.choice(("", "-", text(2))),
                text(6),
                drawing.choice(("", "-")),
                text(7),
                "0",
            )
        )
        + "\n"
        for _ in range(count)
    )


def answers(folder, kind):
    """Returns all that a model answers."""
    import rocketqa

    texts = TEXTS[kind.startswith("zh ")]
    query, para, title = texts["query"], texts["para"], texts["title"]
    model = rocketqa.load_model(os.path.join(folder, kind, "config.json"), batch_size=ROWS)
    told = {
        "matching": list(model.matching(query, para)),
        "matching with titles": list(model.matching(query=query, para=para, title=title)),
    }
    if hasattr(model, "encode_query"):
        told["encode_query"] = [vector.tolist() for vector in model.encode_query(query)]
        told["encode_para"] = [vector.tolist() for vector in model.encode_para(para)]
        told["encode_para with titles"] = [
            vector.tolist() for vector in model.encode_para(para, title)
        ]
    if kind == TRAINED:
        with open(os.path.join(folder, "rows.tsv"), "w") as file:
            file.write(rows(ROWS))
        model.train(
            os.path.join(folder, "rows.tsv"),
            EPOCHS,
            os.path.join(folder, "models"),
            learning_rate=RATE,
            log_folder=folder,
        )
        # Differences alone: what is added to all passages alike has no gradient, and Adam makes steps of its noise.
        first, *others = model.matching(query[:1] * len(para), para)
        told["differences after training"] = [other - first for other in others]
    return told


if __name__ == "__main__":
    import paddle

    paddle.enable_static = lambda: None
    kinds = sorted(
        name for name in os.listdir(sys.argv[1]) if os.path.isdir(os.path.join(sys.argv[1], name))
    )
    lines = [
        json.dumps(kind) + ": " + json.dumps(answers(sys.argv[1], kind), sort_keys=True)
        for kind in kinds
    ]
    print("{\n" + ",\n".join(lines) + "\n}")
