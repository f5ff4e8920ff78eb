"""`python -m livegate` and the `livegate` script."""

from livegate.cli import main

if __name__ == "__main__":
    main()
