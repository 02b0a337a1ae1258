"""What the tests of the command line share."""

from shelf import book, forks, patience  # noqa: F401 - fixtures
