"""`python -m trasluz` is the command line."""

from trasluz.cli import main

if __name__ == "__main__":
    main()
