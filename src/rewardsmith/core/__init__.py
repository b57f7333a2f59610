"""The nouns that every stage shares: conversation, preference, scores, finding, manifest, errors, settings, artefact store."""
