"""Probes of what an answer says beside its content: flattery, certainty, refusals, words to the judge."""
