"""Debian's nginx as a cluster. Answers with its side's name; /size/N, /status/N, /echo, /upload, and what the migration
guide's smoke tests ask: /health, /api/v1/status, /api/v1/db-check. /api/v1/orders and db-check need its database, which is
another Nginx that several sides may share. Fails on demand: everything, one request in twenty, or the database alone."""
import os
import signal
import socket
import subprocess
import urllib.error
import urllib.request

from .ports import free_port
from .waiting import eventually

STATUSES = (200, 201, 301, 304, 400, 401, 403, 404, 409, 429, 500, 502, 503, 504)
KIB, MIB = 1024, 1024 * 1024
SIZES = (1 * KIB, 64 * KIB, 1 * MIB, 64 * MIB)

CONFIG = """
daemon off;
user root;
worker_processes 1;
pid {dir}/nginx.pid;
error_log {dir}/error.log warn;
events {{ worker_connections 4096; }}
http {{
  log_format seen "$uri $http_x_tidegate_mirror";
  access_log {log};
  client_body_temp_path {dir}/body; proxy_temp_path {dir}/proxy; fastcgi_temp_path {dir}/f; uwsgi_temp_path {dir}/u;
  scgi_temp_path {dir}/s;
  client_max_body_size 0;
  keepalive_requests 1000000; keepalive_timeout 300s;
  split_clients $request_id $unlucky {{ 5% 1; * 0; }}
  server {{
    listen 127.0.0.1:{port} {ssl} backlog=4096 {listen};
    {ssl_lines}
    location = /tls {{ return 200 "$ssl_protocol $ssl_session_reused $ssl_server_name $ssl_client_s_dn $connection\n"; }}
    default_type text/plain;
    add_header x-side {side} always;
    if (-f {dir}/fail) {{ return 503 "failing"; }}
    set $oops 0;
    if (-f {dir}/fail-some) {{ set $oops $unlucky; }}
    if ($oops) {{ return 500 "unlucky"; }}
    location = /health {{ return 200 "healthy\n"; }}
    location = /api/v1/status {{ return 200 "{side} is up\n"; }}
    location = /api/v1/db-check {{ proxy_pass http://unix:{database}/inner.sock; }}
    location = /api/v1/orders {{ proxy_pass http://unix:{database}/inner.sock; }}
    location / {{ return 200 "{side}\\n"; }}
    location /echo {{ return 200 "$request_method $request_uri $server_protocol\\n"; }}
    location = /status/204 {{ return 204; }}
{statuses}
    location /size/ {{ alias {dir}/size/; }}
    location /upload {{ proxy_pass http://unix:{dir}/inner.sock; proxy_http_version 1.1; }}
  }}
  server {{
    listen unix:{dir}/inner.sock;
    if (-f {dir}/fail-database) {{ return 500 "no database"; }}
    location = /api/v1/orders {{ return 200 "orders\n"; }}
    location / {{ return 200 "$content_length"; }}
  }}
}}
"""


class Nginx:
    def __init__(self, side, directory, database=None, log=False, tls=None, tls_lines="", listen=""):
        """@param database the Nginx whose database it uses; its own by default. @param log for seen().
        @param tls an Identity: it speaks TLS only. @param tls_lines more directives; /tls shows what came of it.
        @param listen more of the directive `listen`."""
        self.side = side
        self._tls = tls
        self._tls_lines = f"ssl_certificate {tls.cert}; ssl_certificate_key {tls.key}; {tls_lines}" if tls else ""
        self._listen = listen
        self.directory = str(directory)
        os.makedirs(os.path.join(self.directory, "size"), exist_ok=True)
        for size in SIZES:
            with open(os.path.join(self.directory, "size", str(size)), "wb") as file:
                file.truncate(size)
        self._log_to = os.path.join(self.directory, "access.log seen") if log else "off"
        self._database = (database or self).directory
        self.process = None
        self.port = free_port()
        self._start()

    @property
    def address(self):
        return f"127.0.0.1:{self.port}"

    def _log(self):
        try:
            with open(os.path.join(self.directory, "error.log")) as file:
                return file.read()[-2000:]
        except OSError:
            return ""

    def _start(self):
        statuses = "\n".join(f'    location = /status/{s} {{ return {s} "{s}\\n"; }}' for s in STATUSES if s != 301)
        path = os.path.join(self.directory, "nginx.conf")
        with open(path, "w") as file:
            file.write(CONFIG.format(dir=self.directory, port=self.port, listen=self._listen, side=self.side, statuses=statuses,
                                     ssl="ssl" if self._tls else "", ssl_lines=self._tls_lines,
                                     database=self._database, log=self._log_to))
        self.process = subprocess.Popen(["nginx", "-p", self.directory, "-c", path], stdin=subprocess.DEVNULL,
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)

        def answers():
            if self.process.poll() is not None:
                return True
            try:
                if self._tls:
                    socket.create_connection(("127.0.0.1", self.port), timeout=2).close()
                else:
                    urllib.request.urlopen(f"http://{self.address}/", timeout=2).read()
                return True
            except urllib.error.HTTPError:
                return True
            except OSError:
                return False

        eventually(answers, "nginx answering")
        assert self.process.poll() is None, "nginx did not start: " + self._log()

    def seen(self, path):
        """Of each request for the path, in their order: whether it was a mirror's copy. Needs log=True."""
        with open(os.path.join(self.directory, "access.log")) as file:
            words = [line.split() for line in file]
        return [mark == "1" for uri, mark in (word for word in words if len(word) == 2) if uri == path]

    # --- faults
    def fail(self, on=True):
        """From now on 503 to everything."""
        self._flag("fail", on)

    def fail_some(self, on=True):
        """From now on 500 to five of a hundred requests, by chance."""
        self._flag("fail-some", on)

    def fail_database(self, on=True):
        """From now on 500 to everything that needs this one's database, at every side that uses it."""
        self._flag("fail-database", on)

    def freeze(self, on=True):
        """Its processes are stopped, or go on: the kernel still accepts for them."""
        os.killpg(self.process.pid, signal.SIGSTOP if on else signal.SIGCONT)

    def _flag(self, name, on):
        path = os.path.join(self.directory, name)
        if on:
            open(path, "w").close()
        elif os.path.exists(path):
            os.unlink(path)

    def stop(self):
        """Its port refuses from now on."""
        if self.process is None:
            return
        if self.process.poll() is None:
            self.freeze(False)
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                os.killpg(self.process.pid, signal.SIGKILL)
                self.process.wait(5)
        self.process = None

    def start(self):
        """Serves again after stop()."""
        self._start()

    close = stop
