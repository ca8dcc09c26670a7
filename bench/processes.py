"""Processes that are measured: started, watched, accounted for, and certainly ended.

CPU time is the kernel's account of a process and of the children it waited for (wait4), less what the process had used when
the clock was started (its CPU clock: /proc only has whole ticks). Nothing here needs root.
"""
import contextlib
import ctypes
import os
import resource
import selectors
import signal
import subprocess
import time
from pathlib import Path

LIBC = ctypes.CDLL(None, use_errno=True)
PR_SET_PDEATHSIG = 1
CPUCLOCK_SCHED = 2  # the kernel's clock of a process's CPU time, as clock_getcpuclockid(3) names it
TICK = os.sysconf("SC_CLK_TCK")
SAMPLE_S = 0.02     # how often memory is read; reading ten processes takes about 0.3 ms
LOG_TAIL = 2000     # characters of a process's own words in an error text

STARTED = []        # whatever has not been reaped: `kill_all` ends it, however a run ends


class Failed(Exception):
    """A system did not do what it had to; the text says which, and what it said itself."""


class Process:
    """One process in its own group. Its stdout is read for `word`, if one is given, else it goes into the log.

    Of a shell that runs one program after another (`is_script`) the memory of the programs is sampled, too. `at_once` is for
    where milliseconds count: without a copy of this program's memory tables, but also without the kernel's promise to end it
    with this program.
    """

    def __init__(self, name, argv, folder, word=None, stdin=None, stdout=None, begin=None, env=None, is_script=False,
                 at_once=False):
        self.name, self.word, self.log = name, word, os.path.join(folder, name + ".log")
        self.said, self.has_said, self.code, self.usage = b"", False, None, None
        self.mark_s, self.sampled_rss, self.is_script = 0.0, 0, is_script
        # The kernel counts the memory of the process that forks as the child's until the child has called exec.
        self.forked_rss = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10
        with open(self.log, "ab") as log:
            self.popen = subprocess.Popen([str(a) for a in argv], cwd=folder, stdin=stdin or subprocess.DEVNULL,
                                          stdout=stdout or (subprocess.PIPE if word else log), stderr=log,
                                          start_new_session=True, preexec_fn=None if at_once else begin or die_with_parent,
                                          # Nothing of a measurement stays in the cache of whoever runs it.
                                          env={**(env or os.environ), "XDG_CACHE_HOME": os.path.join(folder, ".cache")})
        STARTED.append(self)
        self.pid = self.popen.pid
        self.pidfd = os.pidfd_open(self.pid)

    def read(self):
        """Take what stdout has; called when there is something, or the end."""
        data = os.read(self.popen.stdout.fileno(), 1 << 16)
        # A word may come in two reads, so the end of the last one is kept; the rest is for error texts.
        self.said = (self.said + data)[-(1 << 16):]
        self.has_said |= self.word in self.said
        return bool(data)

    def mark(self):
        """From here on CPU time counts."""
        self.mark_s = self.cpu_clock()

    def since_mark(self):
        """CPU time, of a process that lives."""
        return self.cpu_clock() - self.mark_s

    def cpu_clock(self):
        return time.clock_gettime(~self.pid << 3 | CPUCLOCK_SCHED)

    def sample(self):
        with contextlib.suppress(OSError):
            children = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split() if self.is_script else []
            for pid in (self.pid, *children):
                self.sampled_rss = max(self.sampled_rss, memory_of(pid, "VmHWM"))

    def reap(self):
        """Wait for the end, which has come or is coming, and keep the account."""
        if self.code is None:
            _, status, self.usage = os.wait4(self.pid, 0)
            self.code = self.popen.returncode = os.waitstatus_to_exitcode(status)
            STARTED.remove(self)
            os.close(self.pidfd)
            if self.popen.stdout:
                with contextlib.suppress(OSError):
                    os.set_blocking(self.popen.stdout.fileno(), False)
                    while self.read():
                        pass
                self.popen.stdout.close()

    def kill(self):
        """SIGKILL to the whole group: also to what the process started."""
        if self.code is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.pid, signal.SIGKILL)
            self.reap()

    def ended(self):
        """Whether it has ended by itself."""
        if self.code is None and os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT):
            self.reap()
        return self.code is not None

    @property
    def cpu_s(self):
        return max(0.0, self.usage.ru_utime + self.usage.ru_stime - self.mark_s)

    @property
    def peak_rss(self):
        """Bytes. Exact where it is more than this program's own memory (see `forked_rss`), else the last sample."""
        exact = self.usage.ru_maxrss << 10
        return exact if exact > self.forked_rss else self.sampled_rss

    def complain(self, what):
        with open(self.log, errors="replace") as log:
            words = (log.read() + self.said.decode(errors="replace"))[-LOG_TAIL:]
        return Failed(f"{self.name} {what}; its last words:\n{words}")


def memory_of(pid, field):
    """Bytes: resident now (VmRSS), or the most there ever was (VmHWM); 0 for a process that has ended and is not reaped."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(field + ":"):
            return int(line.split()[1]) << 10
    return 0


def die_with_parent():
    """In the child: no process outlives this program, even if it is killed with -9."""
    LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def kill_all():
    for process in list(STARTED):
        process.kill()


def wait_for(processes, others, deadline, late_is_fine=False):
    """Until each of `processes` has said its word (or, without a word, has ended with 0); none of `others` may end.

    `deadline` is a time of time.monotonic(); what is late has Failed, or with `late_is_fine` a TimeoutError is raised and
    the wait can go on.
    """
    waiting = set(processes)
    with selectors.DefaultSelector() as selector:
        for process in waiting | set(others):
            if process.code is None:
                selector.register(process.pidfd, selectors.EVENT_READ, (process, "end"))
                if process.popen.stdout:
                    selector.register(process.popen.stdout, selectors.EVENT_READ, (process, "words"))
        sample_at = 0.0
        while waiting := {p for p in waiting if not (p.has_said if p.word else p.code == 0)}:
            now = time.monotonic()
            if now > deadline:
                if late_is_fine:
                    raise TimeoutError
                raise next(iter(waiting)).complain("was not done in time")
            if now >= sample_at:
                for process in {*processes, *others}:
                    process.sample()
                sample_at = now + SAMPLE_S
            for key, _ in selector.select(min(SAMPLE_S, deadline - now)):
                process, what = key.data
                if what == "words" and not process.popen.stdout.closed:
                    if not process.read():
                        selector.unregister(key.fileobj)
                elif what == "end":
                    if process.popen.stdout and process.popen.stdout in selector.get_map():
                        selector.unregister(process.popen.stdout)
                    selector.unregister(process.pidfd)
                    process.reap()
                    if process in others or process.code != 0 or (process.word and not process.has_said):
                        raise process.complain(f"ended with {process.code}")


def until(condition, process, seconds, what):
    """Until `condition()`; for what says nothing when it is ready."""
    deadline = time.monotonic() + seconds
    while not condition():
        if process.ended():
            raise process.complain(f"ended with {process.code}")
        if time.monotonic() > deadline:
            raise process.complain(f"was not {what} in {seconds} s")
        time.sleep(0.02)


def machine_s():
    """Seconds of CPU that the whole machine has used, and that its hypervisor gave to others."""
    fields = Path("/proc/stat").read_text().split(maxsplit=9)[1:9]
    user, nice, system, _idle, _iowait, irq, softirq, steal = map(int, fields)
    return (user + nice + system + irq + softirq) / TICK, steal / TICK


def end_on_signals():
    """SIGTERM and SIGHUP unwind like Ctrl-C does, so that everything is ended and removed."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda number, _frame: exit_once(128 + number))


def exit_once(code):
    leave_signals()
    raise SystemExit(code)


def leave_signals():
    """While cleaning up: a second Ctrl-C must not interrupt it."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
