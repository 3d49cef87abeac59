"""The two clusters behind the proxies: one NGINX each, on the client's core, with answers that cost next to nothing
and a count of the requests that really arrived (stub_status), which proves the split and the mirror.

An upload is read whole into memory before it is answered. What NGINX answers without a module of its own it answers before
it has the body, so /upload asks the origin itself once more, without the body, and says how long the request was: one
that was not whole is answered 400.

A second port speaks HTTP/2 alone (by prior knowledge), so that what arrives there was HTTP/2. A call of gRPC is read whole
(`mirror` does that before anything is answered) and answered with a message and with grpc-status in trailers."""

import http.client
import os
import re

import nginx_process
from processes import answers

SMALL, LARGE = 1 << 10, 1 << 20  # bytes of the answers to / and /large
CALL = "/bench.Echo/Say"          # of gRPC; its answer has SMALL bytes
# The length, head included, of a whole request to /upload with LARGE bytes of body, chunked or not: 1,048,600 to 1,099,999.
WHOLE = r"^(1048[6-9]\d\d|1049\d\d\d|10[5-9]\d\d\d\d)$"


def parse_requests(status):
    """stub_status: the third number of its third line."""
    return int(re.search(r"^\s*\d+\s+\d+\s+(\d+)\s*$", status, re.MULTILINE).group(1))


class Origin:
    def __init__(self, port, http2_port):
        self.port, self.http2_port = port, http2_port

    def port_for(self, scenario):
        return self.http2_port if scenario.http2_upstream else self.port

    def requests(self):
        """So far, this question included."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
        try:
            connection.request("GET", "/status")
            return parse_requests(connection.getresponse().read().decode())
        finally:
            connection.close()


def configuration(home, port, http2_port):
    # `return` holds at most 4 KiB; the large answer is a file in the page cache, sent with sendfile.
    return nginx_process.frame(home, f"""
    sendfile on;
    tcp_nopush on;
    open_file_cache max=16 inactive=1h;
    upstream itself {{ server 127.0.0.1:{port}; keepalive 16; keepalive_requests 1000000000; }}
    map $http_x_length $whole {{ default 0; "~{WHOLE}" 1; }}
    server {{
        listen 127.0.0.1:{port} backlog=4096;
        location / {{ default_type text/plain; return 200 "{'x' * SMALL}"; }}
        location = /large {{ default_type application/octet-stream; alias {home}/large; }}
        location = /upload {{
            client_body_buffer_size 2m;
            client_max_body_size 2m;
            proxy_pass http://itself/whole;
            proxy_pass_request_body off;
            proxy_set_header Content-Length "";
            proxy_set_header X-Length $request_length;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
        }}
        location = /whole {{
            default_type text/plain;
            if ($whole = 0) {{ return 400; }}
            return 200 "{'x' * SMALL}";
        }}
        location = /status {{ stub_status; }}
    }}
    server {{
        listen 127.0.0.1:{http2_port} http2 backlog=4096;
        location / {{ default_type text/plain; return 200 "{'x' * SMALL}"; }}
        location = {CALL} {{
            alias {home}/large;
            mirror /read;
            error_page 405 =200 @call;
        }}
        location = /read {{ internal; return 204; }}
        location @call {{
            default_type application/grpc;
            add_trailer grpc-status 0;
            return 200 "{'x' * SMALL}";
        }}
    }}""")


def start(processes, name, cpu):
    home = processes.home(f"origin-{name}")
    with open(os.path.join(home, "large"), "wb") as file:
        file.write(b"x" * LARGE)
    port, http2_port = processes.free_port(), processes.free_port()
    process = nginx_process.start(processes, home, configuration(home, port, http2_port), cpu)
    processes.wait_for(process, lambda: answers(port) and answers(http2_port))
    return Origin(port, http2_port)
