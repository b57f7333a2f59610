"""Step models: token classifiers with two labels, read where each step of a solution ends."""
