"""rewardsmith: preferences in, a reward model you can trust and use out, with the evidence beside it."""

__version__ = "0.1.0"
