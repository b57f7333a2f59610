"""Policies: whatever writes responses to prompts."""
