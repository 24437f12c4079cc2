"""`python -m drivemem` is `drivemem`."""

from drivemem.cli import main

if __name__ == "__main__":
    main()
