"""One small file a command, in story order."""
