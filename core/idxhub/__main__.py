"""`python -m idxhub` runs the command `idxhub` with this interpreter."""

from idxhub.cli import main

main()
