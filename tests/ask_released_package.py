"""Prints the answers of the released package, for tests/released_answers.json.

Its own code computes them, on the Paddle of its time. This needs Python 3.7:

    python3.7 -m venv OLD
    OLD/bin/pip install paddlepaddle==1.8.5 'protobuf<3.21' numpy scipy six tqdm
    OLD/bin/pip install --no-deps rocketqa==1.1.0
    python tests/released_fixture.py FOLDER    # small models in the released layout
    OLD/bin/python tests/ask_released_package.py FOLDER > tests/released_answers.json

The package asks Paddle for static graphs; Paddle 1.8.5 knows no others and has no such call.
"""

import json
import os
import random
import sys

ENGLISH = {
    "query": ["when is the dog home", "the cat sat", "a mat"],
    "title": ["dog", "a cat", "-"],
    "para": ["the dog ran home", "the cat sat on a mat far home on a mat", "xylophone"],
}
CHINESE = {
    "query": ["猫 坐在 垫子上 吗", "狗"],
    "title": ["狗", "猫 坐"],
    "para": ["狗跑 得很远", "猫坐在垫子上 狗跑得很远 远远远"],
}
WORDS = "the cat sat on a mat dog ran far home when is".split()
TRAINED = "separate"  # the model that is also trained
EPOCHS = 10
RATE = 1e-3
ROWS = 16  # the package counts rows in batches of 16


def rows(count):
    """Returns random training rows for a dual encoder."""
    drawing = random.Random(1)

    def text(words):
        return " ".join([drawing.choice(WORDS) for _ in range(words)])

    lines = []
    for _ in range(count):
        query = text(4)
        positive_title = drawing.choice(("", "-", text(2)))
        positive = text(6)
        negative_title = drawing.choice(("", "-"))
        negative = text(7)
        columns = (query, positive_title, positive, negative_title, negative, "0")
        lines.append("\t".join(columns) + "\n")
    return "".join(lines)


def answers(folder, kind):
    """Returns name of the call -> what the model of this kind answers."""
    import rocketqa

    texts = CHINESE if kind.startswith("zh ") else ENGLISH
    query = texts["query"]
    para = texts["para"]
    title = texts["title"]
    model = rocketqa.load_model(os.path.join(folder, kind, "config.json"), batch_size=ROWS)
    results = {
        "matching": list(model.matching(query, para)),
        "matching with titles": list(model.matching(query=query, para=para, title=title)),
    }
    if hasattr(model, "encode_query"):
        results["encode_query"] = vectors(model.encode_query(query))
        results["encode_para"] = vectors(model.encode_para(para))
        results["encode_para with titles"] = vectors(model.encode_para(para, title))
    if kind == TRAINED:
        train(model, folder)
        # Only differences are compared: what is added to all passages alike has no gradient, and
        # Adam makes steps of its rounding errors.
        first, *others = model.matching(query[:1] * len(para), para)
        results["differences after training"] = [other - first for other in others]
    return results


def vectors(arrays):
    """Returns arrays as lists, for JSON."""
    return [array.tolist() for array in arrays]


def train(model, folder):
    """Trains the model on random rows."""
    path = os.path.join(folder, "rows.tsv")
    with open(path, "w") as file:
        file.write(rows(ROWS))
    models = os.path.join(folder, "models")
    model.train(path, EPOCHS, models, learning_rate=RATE, log_folder=folder)


def main(folder):
    """Prints a JSON object with a line for each model in the folder."""
    import paddle

    paddle.enable_static = lambda: None
    lines = []
    for kind in sorted(os.listdir(folder)):
        if os.path.isdir(os.path.join(folder, kind)):
            results = json.dumps(answers(folder, kind), sort_keys=True)
            lines.append(f"{json.dumps(kind)}: {results}")
    print("{\n" + ",\n".join(lines) + "\n}")


if __name__ == "__main__":
    main(sys.argv[1])
