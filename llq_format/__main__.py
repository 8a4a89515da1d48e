"""`python -m llq_format` is `llq`."""

from llq_format.cli import main

if __name__ == "__main__":
    main()
