"""What the tests of durable work share: those of the command line, in a project."""

from shelf import book, patience  # noqa: F401 - fixtures
