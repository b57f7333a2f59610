"""Where tasks come from: files of preferences, samples of a policy, served traffic, what was chosen to be asked."""
