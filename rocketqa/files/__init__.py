"""The files between the verbs: rows, runs, collections, JSON, and what can be wrong with them."""
