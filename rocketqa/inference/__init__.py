"""Encoders in use, not in training: the inference engine, and graphs for deployment."""
