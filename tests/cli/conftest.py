"""What the tests of the command line share."""

from shelf import book, patience  # noqa: F401 - fixtures
