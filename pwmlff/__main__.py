"""Lets `python -m pwmlff` do what the command `pwmlff` does."""

from pwmlff.cli.main import main

if __name__ == "__main__":
    main()
