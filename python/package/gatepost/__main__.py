"""The command line: ``python -m gatepost``, and the console script ``gatepost``."""

from __future__ import annotations

import signal
import sys

from gatepost._gatepost import main as run

__all__ = ["main"]


def main() -> int:
    """Runs the command line on ``sys.argv`` and says the exit code."""
    try:
        # Python's own handler would only take note, and wait for the command to end.
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    except ValueError:
        # Not the main thread, so signals are somebody else's.
        pass
    return run(sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
