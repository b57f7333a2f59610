"""Files and hub data sets to trusted, split, described preferences."""
