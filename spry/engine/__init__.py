"""The one loop: a schedule and an executor, and everything between a decision and a process."""
