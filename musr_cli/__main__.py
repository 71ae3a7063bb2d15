"""`python -m musr_cli` is `musr`."""

from musr_cli.app import main

if __name__ == "__main__":
    main()
