"""What every NGINX of a run has in common: one worker, no logs, connections that are kept for as long as the run lasts."""

import os
import pwd


def frame(home, http, connections=8000):
    # Started by root, NGINX would give its worker to another user, who can't read our directory.
    user = f"user {pwd.getpwuid(0).pw_name};" if os.geteuid() == 0 else ""
    temporary = "\n".join(f"    {kind}_temp_path {home}/{kind};"
                          for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
    return f"""{user}
daemon off;
worker_processes 1;
pid {home}/pid;
error_log {home}/error.log error;
events {{ worker_connections {connections}; }}
http {{
    access_log off;
    keepalive_requests 1000000000;
    keepalive_timeout 60s;
{temporary}
{http}
}}
"""


def start(processes, home, configuration, cpu):
    path = os.path.join(home, "nginx.conf")
    with open(path, "w", encoding="ascii") as file:
        file.write(configuration)
    # -e: without it NGINX opens the system's error log before it has read the configuration.
    return processes.start(home, ["nginx", "-e", f"{home}/error.log", "-p", home, "-c", path], cpu)
