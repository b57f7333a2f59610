"""Probes that change how an answer is written, or ruin it."""
