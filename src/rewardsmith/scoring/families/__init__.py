"""Rewards that are more than one number from one model: each family is a `Scorer` made of others."""
