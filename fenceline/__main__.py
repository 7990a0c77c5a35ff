"""`python -m fenceline` is the program `fenceline`."""

from fenceline.cli import main

main()
