"""A reward model as one file that runs without transformers, and that file run again."""
