"""The command `rocketqa VERB`: one verb a file."""
