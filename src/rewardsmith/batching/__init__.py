"""Integer planning: token budgets, buckets, collation."""
