"""Probes that swap whom a text speaks of or who speaks: names, pronouns, dialects, languages."""
