"""What is wrong with this reward model? Findings with numbers, intervals and pictures."""
