"""Wire formats: one module each turns requests into an `Ask`, and its `Answer` into the reply that its clients read."""
