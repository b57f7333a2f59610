"""What an owner sees of a project: agreement, raters, coverage, and what is asked next and why."""
