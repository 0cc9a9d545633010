"""Weights on disk: checkpoints, initial encoders that others wrote, and the released models."""
