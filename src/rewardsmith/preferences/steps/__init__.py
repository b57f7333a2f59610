"""Step traces: solutions whose steps were judged one by one, for process and outcome reward models."""
