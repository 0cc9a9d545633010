"""Search: vectors on disk, exact and approximate search, answers to queries, the HTTP service."""
