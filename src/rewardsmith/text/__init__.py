"""Tokenizer and chat template to token ids and their digests."""
