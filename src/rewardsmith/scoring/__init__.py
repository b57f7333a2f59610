"""Conversations to scores: the plain reference path and the length-bucketed one."""
