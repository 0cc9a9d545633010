"""Published files of MS MARCO and BEIR are known, and a line says what to do with them."""

import subprocess
import sys
from pathlib import Path

from rocketqa.cli.__main__ import main
from rocketqa.files.published_forms import candidates_cure, is_candidate, published_form
from rocketqa.files.runs import RunFile

ROOT = Path(__file__).resolve().parents[1]
CANDIDATE = ["q1", "d1", "what is a dog", "the dog is an animal"]


def test_candidates_to_re_rank_and_triples_of_ids_are_known_by_their_columns():
    assert "MS MARCO's top1000" in published_form(CANDIDATE)
    assert "MS MARCO's qidpidtriples" in published_form(["1185869", "0", "16"])
    for columns in (["a b", "c", "d e", "f g"], ["q", "p", "1", "2.5"], ["q", "p 1", "p2"], []):
        assert published_form(columns) == ""
        assert not is_candidate(columns)


def test_the_command_makes_a_run_of_the_candidates(tmp_path):
    lines = ["\t".join(CANDIDATE), "q2\td1\ta b\tc d", "q1\td2\twhat is a dog\tcats are animals"]
    (tmp_path / "top1000.dev.tsv").write_text("\n".join(lines) + "\n")
    _, command, _ = candidates_cure("top1000.dev.tsv").split("`", 2)
    subprocess.run(command, shell=True, cwd=tmp_path, check=True)
    run = RunFile(tmp_path / "top1000.dev.tsv.run")
    ranks = {}
    for query_id, ranking in run.items():
        ranks[query_id] = [(scored.passage_id, scored.rank) for scored in ranking]
    assert ranks == {"q1": [("d1", 1), ("d2", 2)], "q2": [("d1", 1)]}


def test_the_command_for_a_beir_folder_makes_files_that_are_sound(tmp_path, capsys):
    beir = tmp_path / "beir"
    (beir / "qrels").mkdir(parents=True)
    (beir / "corpus.jsonl").write_text('{"_id": "p1", "title": "a", "text": "b"}\n')
    (beir / "queries.jsonl").write_text('{"_id": "q1", "text": "c"}\n')
    (beir / "qrels/test.tsv").write_text("query-id\tcorpus-id\tscore\nq1\tp1\t1\n")
    assert main(["validate", str(beir)]) == 2
    _, command, _ = capsys.readouterr().err.split("`")
    made = tmp_path / "made"
    command = command.replace("python", sys.executable, 1).replace("data/mine", str(made))
    subprocess.run(command, shell=True, cwd=ROOT, check=True)
    assert main(["validate", str(made)]) == 0
    assert "collection.tsv 1 rows" in capsys.readouterr().out


def test_a_folder_without_known_files_is_told_how_documents_become_passages(tmp_path, capsys):
    (tmp_path / "notes.txt").write_text("text\n")
    assert main(["validate", str(tmp_path)]) == 2
    assert "data_prep/documents.py" in capsys.readouterr().err
