"""A line about a model folder is printed once in a launch, on stderr."""

from rocketqa.weights.notes import say


def test_the_first_process_alone_prints(capsys, monkeypatch):
    monkeypatch.delenv("PADDLE_TRAINER_ID", raising=False)
    say("alone")
    monkeypatch.setenv("PADDLE_TRAINER_ID", "0")
    say("first")
    monkeypatch.setenv("PADDLE_TRAINER_ID", "1")
    say("second")
    printed = capsys.readouterr()
    assert (printed.out, printed.err) == ("", "alone\nfirst\n")
