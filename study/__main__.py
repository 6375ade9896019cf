"""`python -m study COMMAND`, see `study.cli`."""

from study.cli import main

if __name__ == "__main__":
    main()
