"""Questions about the preferences: leaks, private data, sources at odds, whether more labels would help."""
