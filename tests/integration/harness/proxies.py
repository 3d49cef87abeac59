"""Other proxies: Debian's HAProxy and NGINX as the two ends of the PROXY protocol, and on unix-domain sockets: one sends the
header, or receives it and answers what it said. HAProxy and nghttpx where one end does not speak HTTP/2."""
import os
import signal
import socket
import subprocess

from .client import socket_address
from .ports import free_port
from .waiting import eventually

HAPROXY = """
global
  maxconn 500
defaults
  mode http
  timeout connect 20s
  timeout client 60s
  timeout server 60s
frontend front
  bind {listen}
{body}
"""

# source, its port, destination, its port
HAPROXY_TELLS = '  http-request return status 200 content-type text/plain lf-string "%[src] %[src_port] %[dst] %[dst_port]"'

NGINX = """
daemon off;
user root;
worker_processes 1;
pid {dir}/nginx.pid;
error_log {dir}/error.log warn;
events {{ worker_connections 512; }}
http {{
  access_log off;
  client_body_temp_path {dir}/body; proxy_temp_path {dir}/proxy; fastcgi_temp_path {dir}/f; uwsgi_temp_path {dir}/u;
  scgi_temp_path {dir}/s;
  client_max_body_size 0;
  default_type text/plain;
  server {{
    listen {listen};
{body}
  }}
}}
"""
NGINX_TELLS = ('    location / { return 200 "$proxy_protocol_addr $proxy_protocol_port '
               '$proxy_protocol_server_addr $proxy_protocol_server_port"; }')


class Server:
    """A program that listens on a port of its own, or on `path`."""

    def __init__(self, directory, path=None):
        self.directory = str(directory)
        os.makedirs(self.directory, exist_ok=True)
        self.address = f"unix:{path}" if path else f"127.0.0.1:{free_port()}"
        with open(os.path.join(self.directory, "output"), "wb") as output:
            self.process = subprocess.Popen(self.prepare(), stdin=subprocess.DEVNULL, stdout=output, stderr=output,
                                            start_new_session=True)
        eventually(lambda: self.process.poll() is not None or self._listens(), "a listening server")
        with open(output.name) as said:
            assert self.process.poll() is None, "it did not start: " + said.read()[-2000:]

    def write(self, name, text):
        path = os.path.join(self.directory, name)
        with open(path, "w") as file:
            file.write(text)
        return path

    def _listens(self):
        is_path = self.address.startswith("unix:")
        with socket.socket(socket.AF_UNIX if is_path else socket.AF_INET) as probe:
            return probe.connect_ex(socket_address(self.address)) == 0

    def close(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                os.killpg(self.process.pid, signal.SIGKILL)
                self.process.wait(5)


class Haproxy(Server):
    """A frontend with these lines."""

    def __init__(self, directory, body, options="", more="", path=None):
        """@param options of `bind`. @param more further sections."""
        self.body, self.options, self.more = body, options, more
        super().__init__(directory, path)

    @staticmethod
    def place(address):
        return f"unix@{address[len('unix:'):]}" if address.startswith("unix:") else address

    def prepare(self):
        listen = f"{self.place(self.address)} {self.options}"
        return ["haproxy", "-db", "-f", self.write("haproxy.cfg", HAPROXY.format(listen=listen, body=self.body) + self.more)]

    @classmethod
    def sender(cls, directory, target, how, options="", path=None):
        """Forwards to `target`. @param how send-proxy, send-proxy-v2 or nothing. @param options of `bind`."""
        more = f"backend tidegate\n  server one {cls.place(target)} {how}\n"
        return cls(directory, "  default_backend tidegate", options=options, more=more, path=path)

    @classmethod
    def receiver(cls, directory, path=None):
        """Demands a header and answers what it said."""
        return cls(directory, HAPROXY_TELLS, options="accept-proxy", path=path)


class NginxServer(Server):
    """One `server` with these lines."""

    def __init__(self, directory, body, options="", path=None):
        self.body, self.options = body, options
        super().__init__(directory, path)

    def prepare(self):
        config = NGINX.format(dir=self.directory, listen=f"{self.address} {self.options}", body=self.body)
        return ["nginx", "-p", self.directory, "-c", self.write("nginx.conf", config)]

    @classmethod
    def receiver(cls, directory):
        """Demands a header and answers what it said."""
        return cls(directory, NGINX_TELLS, options="proxy_protocol")


class Nghttpx(Server):
    """Takes HTTP/1.1 and HTTP/2 in cleartext, and forwards in HTTP/2 to `target`."""

    def __init__(self, directory, target):
        self.target = target
        super().__init__(directory)

    def prepare(self):
        place = ",".join(self.address.rsplit(":", 1))
        target = ",".join(self.target.rsplit(":", 1))
        return ["nghttpx", "--conf=/dev/null", "--workers=1", "--single-process", "--no-ocsp", "--errorlog-file=/dev/stderr",
                f"--frontend={place};no-tls", f"--backend={target};;proto=h2"]
