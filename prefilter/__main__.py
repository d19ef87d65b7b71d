"""`python -m prefilter`: the command `prefilter`."""

from __future__ import annotations

import sys

from prefilter.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
