"""Hearing an interrupt (SIGINT) in another way than Python does."""

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator
from typing import Any


@contextlib.contextmanager
def on_interrupt(handle: Callable[[int, Any], None]) -> Iterator[None]:
    """Have interrupts handled by a function, where that is ours to decide: in the main thread, and by nobody else."""
    is_ours = (
        threading.current_thread() is threading.main_thread()
        and signal.getsignal(signal.SIGINT) is signal.default_int_handler
    )
    if is_ours:
        signal.signal(signal.SIGINT, handle)
    try:
        yield
    finally:
        if is_ours:
            signal.signal(signal.SIGINT, signal.default_int_handler)
