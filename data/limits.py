"""Limits that a process sets itself before it reads what strangers wrote."""

import contextlib
import sys


def limit_memory(most: int) -> None:
    """Let this process have so many bytes of address space at most, and leave no core file."""
    if sys.platform != "win32":
        import resource

        with contextlib.suppress(OSError, ValueError):  # macOS refuses; the parent's clock still holds
            resource.setrlimit(resource.RLIMIT_AS, (most, most))
            resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def arm(seconds: int) -> None:
    """Let the system end this process after so many seconds, even inside C code and without a parent; 0 disarms."""
    if sys.platform != "win32":
        import signal

        signal.alarm(seconds)
