"""What holds for every test, wherever the suite is started from."""

from __future__ import annotations

import signal

# A script that starts the suite with `&` has it ignore the interrupt, and so would every command of a test.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
