"""Scores in, one loss per example out."""
