"""`python -m spry`."""

from spry.cli.main import main

main()
