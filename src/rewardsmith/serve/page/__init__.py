"""A page at `/` to try a model by hand: no build step, nothing from elsewhere, no text ever read as HTML."""
