"""Pure formulas on arrays: intervals, calibration, agreement, association."""
