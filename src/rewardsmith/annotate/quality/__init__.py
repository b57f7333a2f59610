"""What the votes are worth: agreement, raters, labels made of several votes, disputes; pure functions of votes."""
