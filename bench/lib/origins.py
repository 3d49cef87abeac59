"""The two clusters behind the proxies: one NGINX each, on the client's core, with answers that cost next to nothing
and a count of the requests that really arrived (stub_status), which proves the split and the mirror."""

import http.client
import os
import re

import nginx
from processes import answers

SMALL, LARGE = 1 << 10, 1 << 20  # bytes of the answers to / and /large


def parse_requests(status):
    """stub_status: the third number of its third line."""
    return int(re.search(r"^\s*\d+\s+\d+\s+(\d+)\s*$", status, re.MULTILINE).group(1))


class Origin:
    def __init__(self, port):
        self.port = port

    def requests(self):
        """So far, this question included."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
        try:
            connection.request("GET", "/status")
            return parse_requests(connection.getresponse().read().decode())
        finally:
            connection.close()


def configuration(directory, port):
    # `return` holds at most 4 KiB; the large answer is a file in the page cache, sent with sendfile.
    return nginx.frame(directory, f"""
    sendfile on;
    tcp_nopush on;
    open_file_cache max=16 inactive=1h;
    server {{
        listen 127.0.0.1:{port} backlog=4096;
        location / {{ default_type text/plain; return 200 "{'x' * SMALL}"; }}
        location = /large {{ default_type application/octet-stream; alias {directory}/large; }}
        location = /status {{ stub_status; }}
    }}""")


def start(processes, name, cpu):
    directory = nginx.directory(processes.directory, f"origin-{name}")
    with open(os.path.join(directory, "large"), "wb") as file:
        file.write(b"x" * LARGE)
    port = processes.free_port()
    process = nginx.start(processes, f"origin-{name}", directory, configuration(directory, port), cpu)
    processes.wait_for(process, lambda: answers(port))
    return Origin(port)
