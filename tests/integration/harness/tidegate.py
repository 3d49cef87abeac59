"""The real binary as a process. What it prints at start is read here and nowhere else (LISTENING, ADMIN, METRICS, READY)."""
import collections
import contextlib
import ctypes
import functools
import json
import os
import re
import resource
import select
import signal
import subprocess
import threading
import urllib.error
import urllib.request

from .waiting import TooLate, eventually

LISTENING = re.compile(r"\blistening (?:on )?(unix:\S+|\S+:\d+)(?: \(([^)]*)\))?")
ADMIN = re.compile(r"\badmin on (\S+:\d+)")
METRICS = re.compile(r"\bmetrics on (\S+:\d+)")
READY = re.compile(r"\bready\s*$")
TAKES_OVER = re.compile(r"\bupgrade: pid (\d+) takes over")
TOOK_OVER = re.compile(r"\btook over from pid (\d+)")
# "Aborted" is the shell's word for SIGABRT; "aborted" is a state of a rollout.
FORBIDDEN = re.compile(r"Sanitizer|runtime error|assert|terminate called|(?-i:\bAborted\b)", re.IGNORECASE)

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", "..", ".."))


def find_binary():
    path = os.environ.get("TIDEGATE_BIN", os.path.join(ROOT, "build/release/tidegate"))
    assert os.access(path, os.X_OK), f"no binary at {path}; set TIDEGATE_BIN"
    return os.path.abspath(path)


@functools.cache
def memory_slack():
    """What bounds on memory are multiplied with: a sanitizer keeps freed memory aside."""
    with open(find_binary(), "rb") as file:
        program = file.read()
    return 20 if b"__asan_init" in program or b"__tsan_init" in program else 1


def make_config(old, new=None, weight=0, route=None, listener=None, cluster=None, new_cluster=None, **top):
    """A configuration as a dict: two clusters, one route named `all`, everything on port 0. Addresses or objects that have one."""
    def endpoint(of):
        return of if isinstance(of, str) else of.address
    config = {
        "workers": 1,
        "listeners": [{"address": "127.0.0.1:0", **(listener or {})}],
        "clusters": {"old": {"endpoints": [endpoint(old)], **(cluster or {})},
                     "new": {"endpoints": [endpoint(new or old)], **(new_cluster or cluster or {})}},
        "routes": [{"name": "all", "weight": weight, **(route or {})}],
        "admin": {"address": "127.0.0.1:0"},
    }
    if new is None and "old" not in top:
        config["clusters"]["new"]["endpoints"] = ["127.0.0.1:9"]  # nothing goes there
    config.update(top)
    return config


class Api:
    """The admin API over HTTP. answer.status, answer.json, answer.text, answer.fields."""

    class Answer:
        def __init__(self, status, text, fields):
            self.status, self.text, self.fields = status, text, fields

        @property
        def json(self):
            return json.loads(self.text)

        def __repr__(self):
            return f"<admin {self.status} {self.text[:500]}>"

    def __init__(self, address, tls=None, token=None):
        """@param tls a context of Python's: over https."""
        self.address, self.tls, self.token = address, tls, token

    def call(self, method, path, body=None, fields=None):
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"http{'s' if self.tls else ''}://{self.address}{path}", data, fields or {}, method=method)
        if data is not None:
            request.add_header("Content-Type", "application/json")
        request.add_header("Connection", "close")
        if self.token is not None:
            request.add_header("Authorization", f"Bearer {self.token}")
        try:
            with urllib.request.urlopen(request, timeout=20, context=self.tls) as answer:
                return Api.Answer(answer.status, answer.read().decode(), answer.headers)
        except urllib.error.HTTPError as error:
            with error:
                return Api.Answer(error.code, error.read().decode(), error.headers)

    def get(self, path):
        return self.call("GET", path)

    def weight(self, percent, route="all", expect=200, fields=None, **more):
        answer = self.call("PUT", f"/api/v1/routes/{route}/weight", {"percent": percent, **more}, fields)
        assert expect is None or answer.status == expect, answer
        return answer

    def mirror(self, percent, route="all", expect=200):
        answer = self.call("PUT", f"/api/v1/routes/{route}/mirror", {"percent": percent})
        assert expect is None or answer.status == expect, answer
        return answer

    def post(self, verb, route="all", expect=200, body=None):
        answer = self.call("POST", f"/api/v1/routes/{route}/{verb}", body or {})
        assert expect is None or answer.status == expect, answer
        return answer

    def status(self):
        answer = self.get("/api/v1/status")
        assert answer.status == 200, answer
        return answer.json

    def route(self, name="all"):
        return next(r for r in self.status()["routes"] if r["name"] == name)

    def history(self, route=None):
        answer = self.get("/api/v1/history")
        assert answer.status == 200, answer
        decisions = answer.json["decisions"]
        return [d for d in decisions if route is None or d["route"] == route]

    def metrics_text(self):
        answer = self.get("/metrics")
        assert answer.status == 200, answer
        return answer.text

    def metrics(self):
        """{(name, frozenset of label pairs): value}"""
        return parse_metrics(self.metrics_text())

    def metric(self, name, **labels):
        """The sum of the series that have these labels."""
        wanted = set(labels.items())
        found = [value for (series, has), value in self.metrics().items() if series == name and wanted <= has]
        assert found, f"no series {name}{labels}"
        return sum(found)

    def failures_of_sides(self):
        """Not those of Tidegate's own limits."""
        return sum(value for (name, labels), value in self.metrics().items()
                   if name == "tidegate_upstream_failures_total" and ("reason", "overflow") not in labels)

    def counts(self, expected, name, **labels):
        """Waits until metric() is `expected`: an exchange is counted at its end, a moment after its client has the answer."""
        eventually(lambda: self.metric(name, **labels) == expected, f"{name}{labels} == {expected}")


def parse_metrics(text):
    out = {}
    for line in text.splitlines():
        if not line or line.startswith("#"):
            continue
        match = re.fullmatch(r"([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)(?: \d+)?", line)
        assert match, line
        labels = re.findall(r'(\w+)="((?:[^"\\]|\\.)*)"', match.group(2) or "")
        out[match.group(1), frozenset(labels)] = float(match.group(3))
    return out


def adopt_orphans():
    """From now on what the children of this process leave behind becomes its child (PR_SET_CHILD_SUBREAPER): exit codes can be read."""
    assert ctypes.CDLL(None, use_errno=True).prctl(36, 1, 0, 0, 0) == 0


def descendants(pid):
    out = []
    try:
        for task in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{task}/children") as file:
                for child in file.read().split():
                    out += [int(child), *descendants(child)]
    except OSError:
        pass
    return out


class Successor:
    """A process that another one has started, as Popen would show it. It is a child of this process once the other one has ended."""

    def __init__(self, pid, before):
        self.pid, self.returncode = pid, None
        self.stdout, self.stderr = before.stdout, before.stderr     # it has the same ends
        self._descriptor = os.pidfd_open(pid)

    def poll(self):
        if self.returncode is None and select.select([self._descriptor], [], [], 0)[0]:
            try:
                self.returncode = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
            except ChildProcessError:
                if os.path.exists(f"/proc/{self.pid}"):
                    return None     # the one that started it is still there, and has not asked how it ended
                self.returncode = "taken by its parent"
            os.close(self._descriptor)
        return self.returncode

    def wait(self, seconds):
        try:
            eventually(lambda: self.poll() is not None, "its end", seconds)
        except TooLate:
            raise subprocess.TimeoutExpired(f"pid {self.pid}", seconds) from None
        return self.returncode

    def send_signal(self, number):
        if self.poll() is None:
            signal.pidfd_send_signal(self._descriptor, number)

    def kill(self):
        self.send_signal(signal.SIGKILL)


class Tidegate:
    # What systemd does: descriptor 3, and who it is for.
    HAND_OVER = 'export LISTEN_FDS=1 LISTEN_PID=$$; eval "exec \\"\\$@\\" 3<&$LISTEN_AT"'

    def __init__(self, config, directory, env=None, limits=None, stdout=None, arguments=(), ready=True, listener=None, wrapper=(),
                 binary=None, config_name=None):
        """@param config a dict, or the text of the file. @param limits {resource.RLIMIT_X: value}. @param listener a listening
        socket that is handed over as systemd does it. @param wrapper a command that executes the one that follows it, in its own
        process. @param binary another path of the program. @param config_name what it is told the file is, from its directory."""
        self.directory = str(directory)
        os.makedirs(self.directory, exist_ok=True)
        self.config_path = os.path.join(self.directory, "tidegate.yaml")
        self.write_config(config)
        self.env = {**os.environ, **(env or {})}
        self.limits = limits or {}
        self.listener = listener
        self.stdout = stdout
        self.arguments = arguments
        self.wrapper = wrapper
        self.binary = binary or find_binary()
        self.config_name = config_name or self.config_path
        self.process = None
        self.earlier = []       # processes that another one has taken over from
        self.ended_on_purpose = False
        self.start(ready)

    def write_config(self, config):
        if isinstance(config, dict):
            config = dict(config)
            config.setdefault("state", {"path": os.path.join(self.directory, "tidegate.db")})
            self.config = config
            config = json.dumps(config, indent=2)  # JSON is YAML
        with open(self.config_path, "w") as file:
            file.write(config)

    def replace_config(self, config):
        """As editors and deployments do: the new file takes the old one's place at once."""
        path = self.config_path
        self.config_path = path + ".new"
        self.write_config(config)
        self.config_path = path
        os.rename(path + ".new", path)

    # --- changes while it runs
    def reload(self, config=None, expect=200):
        """@param config written to the file before. @return what changed, a sentence each; of one that is refused the error."""
        if config is not None:
            self.write_config(config)
        answer = self.api.call("POST", "/api/v1/reload", {})
        assert answer.status == expect, answer
        return answer.json["changed"] if expect == 200 else answer.json["error"]

    def begin_upgrade(self, seconds=30, asked=False):
        """SIGUSR2, unless it was asked for already, and waits until another process serves. Everything here is about that one from now on.
        @return the one before, which drains"""
        adopt_orphans()
        before, seen = self.process, 0 if asked else len(self.lines)
        if not asked:
            self.signal(signal.SIGUSR2)

        def found(pattern):
            return next((match for line in self.lines[seen:] if (match := pattern.search(line))), None)

        def taken_over():
            text = "\n".join(self.lines[seen:])
            if "upgrade failed" in text or before.poll() not in (None, 0):
                raise RuntimeError(f"no upgrade (exit code {before.poll()}):\n{text}")
            return found(TAKES_OVER) and found(TOOK_OVER) and found(READY)

        eventually(taken_over, f"another process taking over; in the log:\n{self.output}", seconds)
        pid = int(found(TAKES_OVER).group(1))
        assert int(found(TOOK_OVER).group(1)) == before.pid != pid, self.output
        self.process, self.pid = Successor(pid, before), pid
        self.earlier.append(before)
        self.descriptors_are_its_own()
        return before

    def upgrade(self, seconds=30):
        """Waits for the end of the one before, too, which has to be in peace."""
        before = self.begin_upgrade(seconds)
        assert before.wait(seconds) == 0, self.output
        return self

    # --- start and end
    def start(self, ready=True):
        self.lines = []
        self.addresses, self.names = [], {}
        self.admin_address = self.metrics_address = None
        self._ready = threading.Event()

        def before_exec():
            for what, value in self.limits.items():
                resource.setrlimit(what, (value, value))

        command = [*self.wrapper, self.binary, "run", "--config", self.config_name, *self.arguments]
        env, passed = self.env, ()
        if self.listener is not None:
            passed = (self.listener.fileno(),)
            env = {**env, "LISTEN_AT": str(passed[0])}
            command = ["bash", "-c", self.HAND_OVER, "bash", *command]
        self.process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=self.stdout or subprocess.PIPE, stderr=subprocess.PIPE, env=env,
            cwd=self.directory, pass_fds=passed, start_new_session=True, preexec_fn=before_exec if self.limits else None)
        self.pid = self.process.pid
        self._readers = [threading.Thread(target=self._read, args=(self.process.stderr, True), daemon=True)]
        self.stdout_lines = []
        if self.process.stdout is not None:
            self._readers.append(threading.Thread(target=self._read, args=(self.process.stdout, False), daemon=True))
        for reader in self._readers:
            reader.start()
        self.ended_on_purpose = False
        if not ready:
            return self
        eventually(lambda: self._ready.is_set() or self.process.poll() is not None, "the line `ready`", 15)
        assert self.process.poll() is None, f"it ended with {self.process.returncode}:\n{self.output}"
        self.address = self.addresses[0]
        self.api = Api(self.admin_address) if self.admin_address else None
        self.descriptors_are_its_own()
        return self

    def descriptors_are_its_own(self):
        """Those that it has now are those of its start, for the rules of the end: after a reload that added or removed something."""
        self.start_fds = self._fds()
        self.start_reactor_fds = sum(1 for target in self.fd_list() if target.startswith("anon_inode:"))

    def _read(self, stream, is_stderr):
        for raw in stream:
            line = raw.decode("utf-8", "replace").rstrip("\n")
            if not is_stderr:
                self.stdout_lines.append(line)
                continue
            self.lines.append(line)
            if match := LISTENING.search(line):
                self.addresses.append(match.group(1))
                self.names[match.group(2)] = match.group(1)
            elif match := ADMIN.search(line):
                self.admin_address = match.group(1)
            elif match := METRICS.search(line):
                self.metrics_address = match.group(1)
            elif READY.search(line):
                self._ready.set()

    @property
    def output(self):
        return "\n".join(self.lines)

    def logs(self, text):
        """Waits until it has: what it writes is read a moment later."""
        eventually(lambda: text in self.output, f"{text!r} in the log:\n{self.output}")

    def signal(self, number):
        self.process.send_signal(number)

    def wait(self, seconds=15):
        """@return the exit code."""
        code = self.process.wait(seconds)
        for reader in self._readers:
            reader.join(5)
        self.ended_on_purpose = True
        return code

    def kill(self):
        """As a power cut: SIGKILL, no goodbye."""
        self.process.kill()
        self.wait()

    def terminate(self, seconds=15):
        self.process.send_signal(signal.SIGTERM)
        return self.wait(seconds)

    def finish(self):
        """The rules that hold after every test: alive, descriptors as at the start, SIGTERM gives 0, no alarm in the output."""
        problems = []
        if not self.ended_on_purpose:
            if self.process.poll() is not None:
                problems.append(f"it died with {self.process.returncode}")
            else:
                try:
                    self.has_only_its_own_descriptors(5)
                except AssertionError as error:
                    problems.append(str(error))
                try:
                    code = self.terminate(45)
                    if code != 0:
                        problems.append(f"SIGTERM ended it with {code}")
                except subprocess.TimeoutExpired:
                    self.process.kill()
                    self.wait()
                    problems.append("SIGTERM did not end it in 45 s")
        for one in self.earlier:
            try:
                if one.wait(40) != 0:
                    problems.append(f"pid {one.pid}, which another one took over from, ended with {one.returncode}")
            except subprocess.TimeoutExpired:
                problems.append(f"pid {one.pid} did not end though another one took over from it")
        if FORBIDDEN.search(self.output):
            problems.append("alarms in the output")
        for stream in (self.process.stderr, self.process.stdout):
            if stream is not None:
                stream.close()
        assert not problems, f"{problems}\n--- stderr\n{self.output[-6000:]}"

    def abandon(self):
        for one in [*self.earlier, self.process]:
            if one is None or one.poll() is not None:
                continue
            for child in descendants(one.pid):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(child, signal.SIGKILL)
            one.kill()
            one.wait(10)

    def full_disk(self, full=True):
        """Writes to files fail from now on (EFBIG), as on a full disk; pipes and sockets go on."""
        hard = resource.prlimit(self.pid, resource.RLIMIT_FSIZE)[1]
        resource.prlimit(self.pid, resource.RLIMIT_FSIZE, (0 if full else hard, hard))

    @contextlib.contextmanager
    def stopped(self):
        """What it is sent meanwhile it finds all at once, in this order."""
        def states():
            for thread in os.listdir(f"/proc/{self.pid}/task"):
                with open(f"/proc/{self.pid}/task/{thread}/stat") as file:
                    yield file.read().rsplit(")", 1)[1].split()[0]

        self.signal(signal.SIGSTOP)
        try:
            eventually(lambda: set(states()) == {"T"}, "every thread stopped")
            yield
        finally:
            self.signal(signal.SIGCONT)

    # --- looking at it
    def fd_list(self):
        out = []
        for name in os.listdir(f"/proc/{self.pid}/fd"):
            try:
                out.append(os.readlink(f"/proc/{self.pid}/fd/{name}"))
            except OSError:
                pass
        return sorted(out)

    def _fds(self):
        """Without SQLite's own files, which come with the first write."""
        return sum(1 for target in self.fd_list() if ".db" not in target)

    def _late_reactor(self):
        """The thread that asks checks has an epoll, an event and a timer descriptor from its first question on."""
        now = sum(1 for target in self.fd_list() if target.startswith("anon_inode:"))
        return 3 if now == self.start_reactor_fds + 3 else 0

    def has_only_its_own_descriptors(self, seconds):
        """Those of its start, within the time."""
        try:
            eventually(lambda: self._fds() - self._late_reactor() <= self.start_fds, "open descriptors as at the start", seconds)
        except TooLate:
            raise AssertionError(f"descriptors: {self.start_fds} at the start, {self._fds()} at the end: {self.fd_list()}") from None

    def threads(self):
        """How many have each name."""
        names = collections.Counter()
        for task in os.listdir(f"/proc/{self.pid}/task"):
            with contextlib.suppress(OSError), open(f"/proc/{self.pid}/task/{task}/comm") as file:
                names[file.read().strip()] += 1
        return names

    def sockets(self):
        return sum(1 for target in self.fd_list() if target.startswith("socket:"))

    def rss_mib(self):
        with open(f"/proc/{self.pid}/status") as file:
            return int(re.search(r"VmRSS:\s+(\d+)", file.read()).group(1)) / 1024

    def cpu_seconds(self):
        with open(f"/proc/{self.pid}/stat") as file:
            parts = file.read().rsplit(")", 1)[1].split()
        return (int(parts[11]) + int(parts[12])) / os.sysconf("SC_CLK_TCK")

    def url(self, path="/"):
        return f"http://{self.address}{path}"

    # --- the command line
    def cli(self, *arguments, timeout=30, stdin=None):
        return run_cli("--server", f"http://{self.admin_address}", *arguments, timeout=timeout, stdin=stdin)


def run_cli(*arguments, timeout=30, stdin=None, env=None, cwd=None):
    """.returncode .stdout .stderr of one run of the binary."""
    result = subprocess.run([find_binary(), *arguments], input=stdin, stdin=None if stdin else subprocess.DEVNULL,
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=timeout,
                            env={**os.environ, **(env or {})}, cwd=cwd)
    assert not FORBIDDEN.search(result.stderr), result.stderr
    return result
