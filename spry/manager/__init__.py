"""Background work: runs that nobody waits for, and the process that starts and watches what starts by itself."""
