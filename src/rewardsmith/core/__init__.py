"""The nouns that every stage shares, their errors, their settings, and the artefact store."""
