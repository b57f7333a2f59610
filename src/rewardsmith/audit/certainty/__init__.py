"""Does the model know how sure it may be? Calibration, raters' disagreement, an ensemble's spread."""
