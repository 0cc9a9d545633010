"""Published files of MS MARCO are known by their columns, and a line says what to do with them."""

import subprocess

from rocketqa.files.published_forms import candidates_cure, is_candidate, published_form
from rocketqa.files.runs import RunFile

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
