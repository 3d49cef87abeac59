"""The proxies that are compared: one worker each, the same timeouts, upstream connections kept and shared, no logs.

The peers do what forwarding needs and no more: they add no X-Forwarded-* or request id, as Tidegate always does, and have no
gate and no metrics. That is on purpose: Tidegate's bars count its whole work against their least.

A peer is an object with `name`, `missing()` (why it can't take part, or None), `version()`, `start(processes, scenario, old,
new, cpu)` -> (process, port), and two words about it: `optional` (a run goes on without it) and `splits_requests` (the split is
of requests; the floor's is of connections)."""

import shutil

from peers.envoy import Envoy
from peers.floor import Floor
from peers.haproxy import HAProxy
from peers.nghttpx import Nghttpx
from peers.nginx import Nginx
from peers.tidegate import Tidegate
from processes import NotStarted

KNOWN = (Tidegate, HAProxy, Nginx, Nghttpx, Envoy, Floor)
NAMES = tuple(peer.name for peer in KNOWN)


def find(wanted=None):
    """({name: peer}, [why one was left out]). `wanted`: names that must be there; None = all, the optional ones if found."""
    peers, problems, left_out = {}, [], []
    for peer in (kind() for kind in KNOWN if wanted is None or kind.name in wanted):
        missing = peer.missing()
        if not missing:
            peers[peer.name] = peer
        elif peer.optional and wanted is None:
            left_out.append(f"without {peer.name}: {missing}")
        else:
            problems.append(missing)
    # The origins are NGINX, whoever is measured.
    for tool, package in (("wrk", "wrk"), ("nginx", "nginx-light")):
        if not shutil.which(tool) and tool not in (wanted or NAMES):
            problems.append(f"no {tool}: apt-get install {package}")
    if problems:
        raise NotStarted("\n".join(problems))
    return peers, left_out
