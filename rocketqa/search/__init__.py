"""Retrieval: vectors on disk, exact and approximate search, answers to a query, the HTTP service."""
