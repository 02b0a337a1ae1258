"""Processes: how an attempt becomes one, and how it ends."""
