"""Conversations to scores: the plain reference path and the fast engine."""
