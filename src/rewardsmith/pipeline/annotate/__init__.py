"""The stages of labelling, one module a command."""
