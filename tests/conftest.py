"""What holds for every test, wherever the suite is started from."""

from __future__ import annotations

import signal

# A script that starts the suite with `&` or nohup has it ignore signals, and so would every command of a test.
for number, handler in (
    (signal.SIGINT, signal.default_int_handler),
    (signal.SIGHUP, signal.SIG_DFL),
    (signal.SIGQUIT, signal.SIG_DFL),
):
    if signal.getsignal(number) is signal.SIG_IGN:
        signal.signal(number, handler)
