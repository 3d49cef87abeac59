"""What the integration tests are made of: the real binary, real and scripted origins, raw and real clients.

Everything listens on 127.0.0.1 with a port of its own, lives in the test's own directory and is ended by its own pid, so
that tests run beside each other (pytest -n 2). Nothing here sleeps for a fixed time: waiting is `eventually()`.
"""
from .certificates import Authority, Identity, openssl
from .client import Client, Response
from . import dns
from .lab import Lab
from .load import Load
from .nginx import Nginx
from .origin import Origin, OriginConnection, Request, ok, serve
from .prometheus import Prometheus
from .proxies import Haproxy, Nghttpx, NginxServer
from .tidegate import Tidegate, find_binary, make_config, memory_slack
from .tools import H2loadLoad, WrkLoad, curl, wrk
from .waiting import TooLate, eventually, stays

__all__ = ["Authority", "Identity", "openssl", "Client", "Response", "dns", "Lab", "Load", "Nginx", "Origin", "OriginConnection", "Request",
           "ok", "serve", "Prometheus", "Haproxy", "Nghttpx", "NginxServer",
           "Tidegate", "find_binary", "make_config", "memory_slack", "H2loadLoad", "WrkLoad", "curl", "wrk", "TooLate", "eventually", "stays"]
