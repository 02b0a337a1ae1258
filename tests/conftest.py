"""What holds for every test, wherever the suite is started from."""

from __future__ import annotations

import signal

from hypothesis import HealthCheck, settings

# A script that starts the suite with `&` or nohup has it ignore signals, and so would every command of a test.
for number, handler in (
    (signal.SIGINT, signal.default_int_handler),
    (signal.SIGHUP, signal.SIG_DFL),
    (signal.SIGQUIT, signal.SIG_DFL),
):
    if signal.getsignal(number) is signal.SIG_IGN:
        signal.signal(number, handler)

# How long or how often an example is looked for is a matter of luck and load, and says nothing about spry.
LUCK = [HealthCheck.data_too_large, HealthCheck.filter_too_much, HealthCheck.too_slow]
settings.register_profile("spry", settings.default, suppress_health_check=LUCK)
settings.load_profile("spry")
