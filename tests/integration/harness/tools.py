"""Real clients: wrk, h2load and curl."""
import os
import re
import signal
import subprocess
import tempfile
import threading


class WrkResult:
    def __init__(self, text):
        self.text = text
        self.requests = int(re.search(r"(\d+) requests in", text).group(1))
        bad = re.search(r"Non-2xx or 3xx responses: (\d+)", text)
        self.bad_statuses = int(bad.group(1)) if bad else 0
        errors = re.search(r"Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)", text)
        self.socket_errors = sum(int(n) for n in errors.groups()) if errors else 0

    @property
    def failed(self):
        return self.bad_statuses + self.socket_errors

    def __repr__(self):
        return f"<wrk {self.requests} requests, {self.bad_statuses} bad statuses, {self.socket_errors} socket errors>"


def start_wrk(url, seconds, connections=16, threads=1, script=None):
    """@param script the path of one in Lua."""
    return subprocess.Popen(["timeout", str(int(seconds) + 30), "wrk", f"-t{threads}", f"-c{connections}",
                             f"-d{int(seconds)}s", "--timeout", "20s", *(["-s", str(script)] if script else []), url],
                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True)


def wrk(url, seconds, connections=16, threads=1):
    process = start_wrk(url, seconds, connections, threads)
    text, _ = process.communicate(timeout=seconds + 40)
    assert process.returncode == 0, text
    return WrkResult(text)


class WrkLoad:
    """wrk in the background until stop(), with a pause before each request so that it leaves a part of the machine."""

    def __init__(self, url, connections=8, pause_ms=2, most_seconds=300):
        handle, self._script = tempfile.mkstemp(suffix=".lua")
        with os.fdopen(handle, "w") as file:
            file.write(f"function delay() return {pause_ms} end\n")
        self._process = start_wrk(url, most_seconds, connections, script=self._script)
        self._result = None

    def stop(self):
        """@return its WrkResult."""
        if self._result is None:
            self._process.send_signal(signal.SIGINT)
            text, _ = self._process.communicate(timeout=60)
            os.unlink(self._script)
            self._result = WrkResult(text)
        return self._result

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()


class H2loadLoad:
    """h2load in the background until stop(), so many requests at a time: only of a number of requests it says how many were lost."""

    def __init__(self, url, clients=4, streams=8, batch=2000):
        self.total = self.errors = self.connections = 0
        self.problems = []
        self._command = ["timeout", "60", "h2load", "--threads=1", f"--clients={clients}", f"--max-concurrent-streams={streams}",
                         f"--requests={batch}", url]
        self._batch, self._clients = batch, clients
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self):
        while not self._stop.is_set():
            done = subprocess.run(self._command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
            ended = re.search(r"(\d+) succeeded, \d+ failed", done.stdout)
            answered = re.search(r"status codes: (\d+) 2xx", done.stdout)
            good = min(int(ended.group(1)), int(answered.group(1))) if ended and answered else 0
            if good < self._batch:
                self.problems.append(done.stdout)
            self.errors += self._batch - good
            self.total += self._batch
            self.connections += self._clients

    def stop(self):
        self._stop.set()
        self._thread.join(90)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def __repr__(self):
        return f"<h2load {self.total} requests, {self.errors} failed, {self.connections} connections, {self.problems[:1]}>"


class CurlResult:
    def __init__(self, process, marker):
        out, _, info = process.stdout.rpartition(marker)
        self.exit_code = process.returncode
        self.body = out
        self.status, self.uploaded, self.seconds = 0, 0, 0.0
        if info:
            status, uploaded, seconds = info.split()
            self.status, self.uploaded, self.seconds = int(status), int(uploaded), float(seconds)
        self.trace = process.stderr.decode("latin1")


def curl(*arguments, timeout=40, stdin=None):
    """--silent --verbose; the trace is in .trace."""
    marker = b"\n@@curl "
    process = subprocess.run(["curl", "-sv", "--max-time", str(timeout - 5), "-w",
                              "\n@@curl %{http_code} %{size_upload} %{time_total}", *arguments],
                             input=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=timeout)
    return CurlResult(process, marker)
