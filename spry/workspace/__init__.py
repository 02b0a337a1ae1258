"""Many repositories as one workspace: found, chosen, joined into one graph, and run through the one engine."""
