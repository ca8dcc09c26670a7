"""Shaped links on one machine: every participant in a network namespace of its own, all of them on one bridge.

`tbf` shapes both directions where a packet is sent: upload at the participant, download at the bridge. There is no route to
anywhere else, so nothing leaves the machine.

The namespaces have no names. They live as long as this program has them open or a process is in them; however it ends, the
kernel removes them with all that is in them.
"""
import contextlib
import ctypes
import json
import os
import subprocess
import urllib.request

from processes import LIBC, Failed, Process, die_with_parent

CLONE_NEWPID, CLONE_NEWNET = 0x20000000, 0x40000000
OWN = "/proc/thread-self/ns/net"
AUTOGROUP = "/proc/self/autogroup"
NETWORK = "10.78"       # /16, inside of the namespaces only
BURST, QUEUE = "64kb", "100ms"      # of `tbf`: what may pass at once, and the longest queue
COMMAND_S = 10
# Not the person's own: proxies, and variables that our program would take for flags.
ENVIRONMENT = {"PATH": os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin", "LC_ALL": "C.UTF-8"}
DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))


@contextlib.contextmanager
def one_end():
    """Whatever this program starts meanwhile is killed with it by the kernel, even after `kill -9`: also what becomes another
    user (opentracker does), which `die_with_parent` has no hold of."""
    call(LIBC.unshare, CLONE_NEWPID)
    # The first process of a process namespace takes all others in it along.
    first = subprocess.Popen(["sleep", "infinity"], start_new_session=True, preexec_fn=die_with_parent, env=ENVIRONMENT)
    try:
        yield
    finally:
        first.kill()
        first.wait()


class Namespace:
    """A network namespace."""

    def __init__(self):
        with at_home() as home:
            call(LIBC.unshare, CLONE_NEWNET)
            self.fd = os.open(OWN, os.O_RDONLY)
            # Kernels without IPv6 have no such file.
            with contextlib.suppress(OSError), open("/proc/sys/net/ipv6/conf/default/disable_ipv6", "w") as switch:
                switch.write("1")
            call(LIBC.setns, home, CLONE_NEWNET)
        self.run("ip", "link", "set", "lo", "up")

    @contextlib.contextmanager
    def inside(self):
        """This thread's new sockets are in the namespace meanwhile."""
        with at_home() as home:
            call(LIBC.setns, self.fd, CLONE_NEWNET)
            try:
                yield
            finally:
                call(LIBC.setns, home, CLONE_NEWNET)

    def run(self, *argv, fds=(), text=""):
        done = subprocess.run(argv, input=text, text=True, capture_output=True, timeout=COMMAND_S, env=ENVIRONMENT,
                              pass_fds=fds, preexec_fn=lambda: call(LIBC.setns, self.fd, CLONE_NEWNET))
        if done.returncode:
            raise Failed(f"{' '.join(argv)}: {(done.stderr or done.stdout).strip()}")
        return done.stdout

    def close(self):
        os.close(self.fd)


@contextlib.contextmanager
def at_home():
    """The namespace that this thread is in now, as a file descriptor."""
    home = os.open(OWN, os.O_RDONLY)
    try:
        yield home
    finally:
        os.close(home)


def call(function, *arguments):
    if function(*arguments):
        error = ctypes.get_errno()
        raise OSError(error, f"{function.__name__}: {os.strerror(error)} (this needs root)")


class Network:
    """The bridge, and whoever has joined."""

    def __init__(self):
        self.places, self.hub = [], Namespace()
        self.hub.run("ip", "link", "add", "br0", "type", "bridge", "forward_delay", "0")
        self.hub.run("ip", "link", "set", "br0", "up")

    def join(self, host, folder, up=None, down=None):
        """A new place with the address of that number; rates in Mbit/s, none is as fast as it goes."""
        port, space = f"v{len(self.places)}", Namespace()
        place = Place(space, f"{NETWORK}.{host >> 8}.{host & 255}", folder)
        self.places.append(place)
        self.hub.run("ip", "-batch", "-", fds=(space.fd,), text=(
            f"link add {port} type veth peer name eth0 netns /proc/self/fd/{space.fd}\n"
            f"link set {port} master br0\nlink set {port} up\n"))
        space.run("ip", "-batch", "-", text=f"addr add {place.address}/16 dev eth0\nlink set eth0 up\n")
        for at, device, rate in ((space, "eth0", up), (self.hub, port, down)):
            if rate:
                at.run("tc", "qdisc", "add", "dev", device, "root", "tbf", "rate", f"{rate}mbit", "burst", BURST,
                       "latency", QUEUE)
        return place

    def close(self):
        for place in self.places:
            place.space.close()
        self.hub.close()


class Place:
    """Where one participant is: an address behind its own link, and a folder."""

    def __init__(self, space, address, folder):
        self.space, self.address, self.folder, self.gate = space, address, folder, None
        folder.mkdir(parents=True)

    def start(self, name, argv, word=None, at_once=False):
        """Waits behind the gate, if there is one here, unless it is to run at once."""
        return PlacedProcess(self, name, argv, word, None if at_once else self.gate)

    def ask(self, url, data=None):
        """What a server answers to this participant; None if it does not."""
        with self.space.inside():
            try:
                return DIRECT.open(url, data, timeout=2).read()
            except OSError:
                return None

    def sent(self):
        """Bytes that have left its uplink, counted by the shaper itself: each packet with its headers."""
        return json.loads(self.space.run("tc", "-s", "-j", "qdisc", "show", "dev", "eth0", "root"))[0]["bytes"]


class Gate:
    """Processes that are started behind it wait until it is opened: who is to start at once does so, and not one after
    another as fast as this program can fork."""

    def __init__(self):
        self.wait, self.hold = os.pipe()

    def before(self, argv):
        return ["/bin/sh", "-c", 'read -r _; exec "$@" </dev/null', "gate", *argv]

    def open(self):
        os.close(self.hold)
        os.close(self.wait)


class PlacedProcess(Process):
    """A process at a place. It is not shaped by what else the machine does, as far as that can be had."""

    def __init__(self, place, name, argv, word, gate=None):
        def begin():
            die_with_parent()
            call(LIBC.setns, place.space.fd, CLONE_NEWNET)
            # Each session gets an equal share of the processor, however nice a build in another one is. Not every kernel
            # has these groups.
            with contextlib.suppress(OSError), open(AUTOGROUP, "w") as group:
                group.write("-20")
        super().__init__(name, gate.before(argv) if gate else argv, place.folder, word, begin=begin,
                         stdin=gate.wait if gate else None, env={**ENVIRONMENT, "HOME": str(place.folder)})

    def sample(self):
        """Memory is measured elsewhere (`bench/run`): here dozens of processes would have to be read all the time."""
