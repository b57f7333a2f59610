"""Training of process and outcome reward models."""
