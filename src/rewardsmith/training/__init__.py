"""Recipe to checkpoint, with a transformers Trainer underneath."""
