"""What was found, for people: pages, and tables for a terminal."""
