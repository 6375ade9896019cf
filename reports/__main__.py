"""`python -m reports [NAME ...]`, see `reports.cli`."""

from reports.cli import main

if __name__ == "__main__":
    main()
