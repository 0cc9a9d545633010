"""MS MARCO in a few lines, as Microsoft publishes it and as the released corpus holds it.

`__` in a name stands for a dot, so that the names can be keywords of `data_prep_runs.write`.
"""

MICROSOFT = {
    "collection__tsv": (
        '0\tThe presence of communication.\n1\tThe Manhattan Project.\n2\tA caf\u00e9 "quoted.\n'
    ),
    "queries__train__tsv": (
        "10\twhat is a project\n11\tnobody judged this\n12\twho drinks coffee\n"
    ),
    "queries__dev__small__tsv": "20\twhat is communication\n",
    "qrels__train__tsv": "12\t0\t2\t1\n10\t0\t1\t1\n",
    "qrels__dev__small__tsv": "20\t0\t0\t1\n",
}
RELEASED = {
    "para__txt": MICROSOFT["collection__tsv"],
    "para__title__txt": "0\tIntroduction\n2\t-\n",
    "train__query__txt": "10\twhat is a project\n12\twho drinks coffee\n",
    "dev__query__txt": "20\twhat is communication\n",
    "qrels__train__tsv": "10\t1\n12\t2\n",
    "qrels__dev__tsv": "20\t0\n",
    "qrels__train__addition__tsv": "10\t0\n",
}
