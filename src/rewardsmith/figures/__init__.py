"""The pictures and HTML pieces that cards and reports share."""
