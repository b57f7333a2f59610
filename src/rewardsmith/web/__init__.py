"""What the HTTP servers share: the error envelope, keys, limits, request ids."""
