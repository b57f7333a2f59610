"""From drift to what to label next, new data and a new model, through artefacts only."""
