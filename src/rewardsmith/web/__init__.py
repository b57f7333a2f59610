"""What the HTTP servers share: the socket and its signals, the error envelope, keys, limits, request ids."""
