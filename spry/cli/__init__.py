"""The command line: options, one api call, an exit code."""
