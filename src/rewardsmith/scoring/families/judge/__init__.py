"""Language models as judges: they are asked which answer is better, or how good one is, and what they say is read."""
