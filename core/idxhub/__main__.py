"""`python -m idxhub`: the command, by the interpreter that is to run it."""

from idxhub.cli import main

main()
