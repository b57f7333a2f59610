"""What is believed of a response before any label is seen: plain functions from conversations to numbers."""
