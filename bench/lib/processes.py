"""Every process that a run starts, and its end.

Each is pinned to a core, is the leader of its own process group (ctrl-C reaches the bench alone, which then ends the rest in
order) and gets SIGTERM from the kernel when the bench itself is killed. Nothing is ended by name."""

import ctypes
import os
import resource
import signal
import socket
import subprocess
import time

PR_SET_PDEATHSIG = 1
START_SECONDS = 10
END_SECONDS = 3
# Below the usual range of ephemeral ports, so that no connection of the client can take one of these meanwhile.
FIRST_PORT, LAST_PORT = 20000, 30000
LOG = "output.log"
LIBC = ctypes.CDLL(None)


class NotStarted(Exception):
    pass


class Processes:
    """Use as a context: leaving it ends everything that was started."""

    def __init__(self, directory):
        self.directory = directory
        self.running = []
        self.homes = 0
        self.next_port = FIRST_PORT + os.getpid() % 1000 * 10

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.end(list(self.running))

    def free_port(self):
        for _ in range(LAST_PORT - FIRST_PORT):
            self.next_port = self.next_port + 1 if self.next_port < LAST_PORT else FIRST_PORT
            with socket.socket() as probe:
                try:
                    probe.bind(("127.0.0.1", self.next_port))
                    return self.next_port
                except OSError:
                    continue
        raise NotStarted("no free port")

    def home(self, name):
        """A new directory for one process; no two get the same, so nothing durable is found again."""
        self.homes += 1
        path = os.path.join(self.directory, f"{self.homes}-{name}")
        os.makedirs(path)
        return path

    def start(self, home, command, cpu):
        """Its output goes to a file in its home; `log_of` reads it."""
        with open(os.path.join(home, LOG), "wb") as log:
            process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT,
                                       cwd=home, preexec_fn=lambda: settle(cpu))
        process.name, process.home = os.path.basename(home), home
        self.running.append(process)
        return process

    def log_of(self, process):
        with open(os.path.join(process.home, LOG), encoding="utf-8", errors="replace") as log:
            return log.read()

    def wait_for(self, process, look):
        """Until `look()` returns something; what it returns."""
        end = time.monotonic() + START_SECONDS
        while time.monotonic() < end:
            if process.poll() is not None:
                raise NotStarted(f"{process.name} ended with {process.returncode}:\n{self.log_of(process)}")
            found = look()
            if found:
                return found
            time.sleep(0.02)
        raise NotStarted(f"{process.name} was not ready in {START_SECONDS} s:\n{self.log_of(process)}")

    def run(self, command, cpu, seconds):
        """To its end, at most for so long; its output."""
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                   text=True, preexec_fn=lambda: settle(cpu))
        process.name = command[0]
        self.running.append(process)
        try:
            return process.communicate(timeout=seconds)[0]
        finally:
            self.end([process])

    def end(self, processes, first=signal.SIGTERM):
        for process in processes:
            signal_group(process, first)
        end = time.monotonic() + END_SECONDS
        for process in processes:
            try:
                process.wait(max(0.0, end - time.monotonic()))
            except subprocess.TimeoutExpired:
                signal_group(process, signal.SIGKILL)
                process.wait()
            self.running.remove(process)


def settle(cpu):
    """In the child, before it becomes the program. `cpu`: a core, or a set of them."""
    os.setpgid(0, 0)
    os.sched_setaffinity(0, cpu if isinstance(cpu, set) else {cpu})
    LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


def raise_file_limit():
    """Every connection is a file of the client and two of a proxy: as many as the system allows. How many that are."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard if hard != resource.RLIM_INFINITY else 1 << 20


def signal_group(process, number):
    if process.returncode is None:
        try:
            os.killpg(process.pid, number)
        except ProcessLookupError:
            pass


def answers(port):
    """Whether somebody listens there."""
    try:
        socket.create_connection(("127.0.0.1", port), timeout=0.5).close()
        return True
    except OSError:
        return False
