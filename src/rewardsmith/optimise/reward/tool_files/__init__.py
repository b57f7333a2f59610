"""Files that other training tools load by their path."""
