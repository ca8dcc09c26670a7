"""The clock of one run, what else the machine did meanwhile, and the quiet moment that is waited for before it."""
import os
import time

from processes import machine_s

QUIET_S = 0.5       # for so long
QUIET_SHARE = 0.1   # no more than this of the machine's CPU time may be in use


class Clock:
    """Runs from when it is made. `stop` says how long; `noise`, once all that was measured has ended, what else there was."""

    def __init__(self):
        self.busy, self.stolen = machine_s()
        self.start = time.monotonic()

    def stop(self):
        self.wall = time.monotonic() - self.start
        return self.wall

    def noise(self, cpu_s):
        """`cpu_s` is what the measured processes used themselves."""
        busy, stolen = machine_s()
        return {"other_share": max(0.0, busy - self.busy - cpu_s) / (self.wall * os.cpu_count()),
                "stolen_s": stolen - self.stolen}


def wait_for_quiet(most):
    """Until the machine has little else to do, for at most so many seconds; how long it was."""
    start = time.monotonic()
    while time.monotonic() - start < most:
        busy, at = machine_s()[0], time.monotonic()
        time.sleep(QUIET_S)
        if machine_s()[0] - busy < QUIET_SHARE * os.cpu_count() * (time.monotonic() - at):
            break
    return time.monotonic() - start
