"""The HTTP server: many protocols, one batching queue."""
