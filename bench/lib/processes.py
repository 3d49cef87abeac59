"""Every process that a run starts, and its end.

Each is pinned to a core, is the leader of its own process group (ctrl-C reaches the bench alone, which then ends the rest in
order) and gets SIGTERM from the kernel when the bench itself is killed. Nothing is ended by name."""

import ctypes
import os
import signal
import socket
import subprocess
import time

PR_SET_PDEATHSIG = 1
START_SECONDS = 10
END_SECONDS = 3
# Below the usual range of ephemeral ports, so that no connection of the client can take one of these meanwhile.
FIRST_PORT, LAST_PORT = 20000, 30000
LIBC = ctypes.CDLL(None)


class NotStarted(Exception):
    pass


class Processes:
    """Use as a context: leaving it ends everything that was started."""

    def __init__(self, directory):
        self.directory = directory
        self.running = []
        self.next_port = FIRST_PORT + os.getpid() % 1000 * 10

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.end(list(self.running))

    def free_port(self):
        while self.next_port < LAST_PORT:
            self.next_port += 1
            with socket.socket() as probe:
                try:
                    probe.bind(("127.0.0.1", self.next_port))
                    return self.next_port
                except OSError:
                    continue
        raise NotStarted("no free port")

    def log_path(self, name):
        return os.path.join(self.directory, f"{name}.log")

    def start(self, name, command, cpu):
        """Its output goes to a file; `log_of` reads it."""
        with open(self.log_path(name), "wb") as log:
            process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT,
                                       cwd=self.directory, preexec_fn=lambda: settle(cpu))
        process.name = name
        self.running.append(process)
        return process

    def log_of(self, process):
        with open(self.log_path(process.name), encoding="utf-8", errors="replace") as log:
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

    def end(self, processes):
        for process in processes:
            signal_group(process, signal.SIGTERM)
        end = time.monotonic() + END_SECONDS
        for process in processes:
            try:
                process.wait(max(0.0, end - time.monotonic()))
            except subprocess.TimeoutExpired:
                signal_group(process, signal.SIGKILL)
                process.wait()
            self.running.remove(process)


def settle(cpu):
    """In the child, before it becomes the program."""
    os.setpgid(0, 0)
    os.sched_setaffinity(0, {cpu})
    LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


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
