"""Backbone, pooling and head make a reward model; checkpoints on disk."""
