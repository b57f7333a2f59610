"""The labelling server and its store: tasks, votes, agreement, adjudication, what is asked next."""
