"""Everything at once: clients of every kind go on while a seeded sequence of events happens to the cluster, the file, the weights, the
process and the clients themselves, each waited for by what can be seen of it. No request fails that its event does not account for, no
answer is another's, nothing decided is forgotten, nothing reverts without cause, nothing is left behind.

By hand: TIDEGATE_SOAK_EVENTS=300 TIDEGATE_SOAK_SEED=7 (or 7,8 or 100-119), TIDEGATE_SOAK_ONLY=upgrade,kill_endpoint for some events
alone, TIDEGATE_SOAK_PAUSE=0.005 for more load. A failure prints the seed and the events."""
import copy
import json
import os
import random
import re
import signal
import socket
import threading
import time
from collections import Counter

import pytest

from harness import Authority, Client, eventually, memory_slack
from harness.dns import NOERROR, NXDOMAIN, SERVFAIL, a
from harness.echoes import HEALTH, ID, SIDE, TAG, EchoProcess, bytes_of
from harness.guests import (WHOLE, Book, Caller, ClosingGuest, Downloader, KeptGuest, SlowReader, SlowSender,
                            StreamGuest, Tunneller, Uploader, Vanisher)
from test_grpc import CallServer

grpc = pytest.importorskip("grpc")


def _seeds():
    said = os.environ.get("TIDEGATE_SOAK_SEED", "1" if SANITIZED else "1,2,3")
    out = []
    for part in said.split(","):
        first, _, last = part.partition("-")
        out += range(int(first), int(last or first) + 1)
    return out


SANITIZED = memory_slack() > 1
EVENTS = int(os.environ.get("TIDEGATE_SOAK_EVENTS", "15" if SANITIZED else "25"))
ONLY = [name for name in os.environ.get("TIDEGATE_SOAK_ONLY", "").split(",") if name]
SLOW = 4 if SANITIZED else 1
LONG = 60 * SLOW
PAUSE = float(os.environ.get("TIDEGATE_SOAK_PAUSE", "0.02")) * SLOW     # of a client between two requests, or so
NAME = "old.test"
WEIGHTED = ("api", "hedged", "streams", "tunnel", "calls")
PLAIN = ("api", "hedged", "shadow", "streams")      # what every kind of client asks for
GROWTH_MIB = 150
SAFE = ("get", "download")
LOST_CONNECTION = {"status 502", "status 503", "status 504", "cut"}


class Pair:
    """Two ports that are held for two addresses of this machine, the same number."""

    def __init__(self, hosts):
        for _ in range(50):
            self.held, port = [], 0
            try:
                for host in hosts:
                    made = socket.socket()
                    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, True)
                    self.held.append(made)
                    made.bind((host, port))
                    port = made.getsockname()[1]
                self.port = port
                return
            except OSError:
                self.close()
        raise AssertionError("no port is free on all of them")

    def close(self):
        for made in self.held:
            made.close()


class Excuse:
    """Failures that an event accounts for: of requests that were in flight at some time of it."""

    def __init__(self, why, came, kinds, routes):
        self.why, self.came, self.kinds, self.routes = why, came, kinds, routes
        self.since, self.until = time.monotonic(), None

    def over(self):
        self.until = time.monotonic()

    def covers(self, result):
        return (result.kind in self.kinds and result.route in self.routes and result.came in self.came and
                result.ended >= self.since and (self.until is None or result.began <= self.until))


class Everything:
    def __init__(self, lab, seed):
        self.lab, self.seed = lab, seed
        self.random = random.Random(seed)
        self.events = []
        self.excuses = []
        self.judged = 0             # results that were looked at
        self.sick = None            # (endpoint, "dead" or "stopped")
        self.sick_excuses = []
        self.shadow_dead = False
        self.injected_reverts = 0
        self.errors_explained = []  # patterns of error lines
        self.earlier_lines = []
        self.reloads_refused = 0
        self.suspects = set()       # routes whose new side was hurt since reverts were last looked at
        self.tags = []              # (tag, since when it may be seen, since when no earlier one may be)
        self.acknowledged = {}      # epoch: route, percent
        self.upgrades = 0
        self.visitors = 0
        self._build()

    # --- what there is

    def _build(self):
        lab, directory = self.lab, self.lab.directory
        self.pki = Authority(directory / "authority")
        identity = self.pki.issue()
        self.certificate = self.pki.issue()
        self.log = directory / "access.log"
        pair = lab.keep(Pair(["127.0.0.1", "127.0.0.2"]))
        ports = [lab.keep(Pair(["127.0.0.1"])).port for _ in range(6)]
        make = lambda name, **options: lab.keep(EchoProcess(name, directory, **options))
        self.old = [make("old-1", port=pair.port), make("old-2", host="127.0.0.2", port=pair.port)]
        self.new = [make(f"new-{i + 1}", port=ports[i], tls=identity) for i in range(2)]
        self.shadow = make("shadow", port=ports[2])
        self.old_streams = [make("old-h2", port=ports[3], kind="http2")]
        self.new_streams = [make(f"new-h2-{i + 1}", port=ports[4 + i], kind="http2") for i in range(2)]
        self.endpoints = [*self.old, *self.new, self.shadow, *self.old_streams, *self.new_streams]
        for one in self.endpoints:
            one.wait_ready()
        self.calls = [lab.keep(CallServer(name)) for name in ("old", "new")]
        self.names = lab.name_server(a("127.0.0.1"), a("127.0.0.2"))
        self.in_names = list(self.old)
        self.in_file = {"new": list(self.new), "new-h2": list(self.new_streams)}
        self.routes_of = {"old": {"api", "hedged", "tunnel", "shadow"}, "new": {"api", "hedged", "tunnel"}, "new-h2": {"streams"}}
        self.tidegate = lab.tidegate(self._config())
        self.wanted = {name: {"weight": 0, "mirror": None, "latched": False, "epoch": None} for name in
                       ("api", "hedged", "shadow", "streams", "tunnel", "calls", "leavers")}
        for name in self.wanted:
            one = self.route(name)
            self.wanted[name].update(weight=one["weight"]["wanted"], epoch=one["epoch"])
        self.wanted["shadow"]["mirror"] = 50
        self._open_tag("first")
        self.tags[-1][2] = self.tags[-1][1]

    def _config(self):
        """The names of clusters are what their endpoints are called."""
        patient = {"connect": f"{2 * SLOW}s", "response_header": f"{8 * SLOW}s", "idle": f"{6 * SLOW}s"}
        idle = {"idle_timeout": "1s"}
        watched = {"health": {"path": HEALTH, "interval": "100ms", "timeout": f"{SLOW}s", "healthy": 2, "unhealthy": 2},
                   "outlier": {"consecutive_errors": 5, "ejection": "1s", "max_ejected": "50%"},
                   "timeouts": patient, "pool": idle}
        trusted = {"tls": {"ca": self.pki.ca, "sni": "localhost"}}
        retry = {"retry": {"retries": 2, "on": ["connect", "reset", "timeout", "503"], "per_try_timeout": f"{4 * SLOW}s", "budget": "100%"}}

        def route(name, old, new, weight, **more):
            return {"name": name, "match": {"path": {"prefix": f"/{name}"}}, "old": old, "new": new, "weight": weight,
                    "request_headers": {"set": {TAG: "first"}}, **retry, **more}
        self.most_workers = workers = self.random.choice((1, 2, 2))     # sockets of workers that are no more are handed on, too
        return {
            "workers": workers,
            "listeners": [
                {"name": "plain", "address": "127.0.0.1:0", "h2c": True},
                {"name": "secure", "address": "127.0.0.1:0", "tls": {"certificates": [self.certificate.files()], "alpn": ["h2", "http/1.1"]}},
                {"name": "secure1", "address": "127.0.0.1:0", "tls": {"certificates": [self.certificate.files()], "alpn": ["http/1.1"]}}],
            "clusters": {
                "old": {"endpoints": [f"{NAME}:{self.old[0].port}"], **watched},
                "new": {"endpoints": [one.address for one in self.new], **trusted, **watched},
                "shadow": {"endpoints": [self.shadow.address], **watched},
                "old-h2": {"endpoints": [one.address for one in self.old_streams], "protocol": "http2", **watched},
                "new-h2": {"endpoints": [one.address for one in self.new_streams], "protocol": "http2", **watched},
                "old-calls": {"endpoints": [self.calls[0].address], "protocol": "http2", "timeouts": patient, "pool": idle},
                "new-calls": {"endpoints": [self.calls[1].address], "protocol": "http2", "timeouts": patient, "pool": idle}},
            "routes": [
                route("api", "old", "new", 30),
                route("hedged", "old", "new", 50, hedge={"after": "60ms"}),
                route("shadow", "old", "shadow", 0, mirror={"percent": 50, "methods": ["GET", "HEAD", "POST"], "timeout": "2s"}),
                route("streams", "old-h2", "new-h2", 40),
                route("tunnel", "old", "new", 50),
                route("leavers", "old", "new", 50),
                {"name": "calls", "match": {"path": {"prefix": "/t"}}, "old": "old-calls", "new": "new-calls", "weight": 50}],
            "dns": {"servers": [self.names.address], "timeout": "300ms"},
            "drain": {"timeout": f"{20 * SLOW}s"},
            "log": {"access": {"path": str(self.log)}},
            "admin": {"address": "127.0.0.1:0"}}

    def _invite(self):
        """The clients that go on all the time."""
        book = self.book = Book(self.seed)
        plain, secure, secure1 = (self.tidegate.names[name] for name in ("plain", "secure", "secure1"))
        h1, h2 = self.pki.client(), self.pki.client(alpn=["h2"])
        options = {"pause": PAUSE}
        self.channel = self.lab.keep(grpc.insecure_channel(plain))
        self.guests = [
            KeptGuest(book, "kept", plain, PLAIN, **options),
            KeptGuest(book, "kept-tls", secure, PLAIN, tls=h1, **options),
            ClosingGuest(book, "closing", plain, PLAIN, **options),
            ClosingGuest(book, "closing-tls", secure1, PLAIN, tls=h1, **options),
            Uploader(book, "up", plain, PLAIN, **options),
            Uploader(book, "up-tls", secure1, PLAIN, tls=h1, **options),
            Downloader(book, "down", plain, PLAIN, pause=5 * PAUSE),
            Downloader(book, "down-tls", secure, PLAIN, tls=h1, pause=5 * PAUSE),
            StreamGuest(book, "h2c", plain, PLAIN, **options),
            StreamGuest(book, "h2", secure, PLAIN, tls=h2, **options),
            Tunneller(book, "tunnel", plain, ["tunnel"], pause=2.5 * PAUSE),
            Tunneller(book, "tunnel-tls", secure1, ["tunnel"], tls=h1, pause=2.5 * PAUSE),
            Caller(book, "calls", self.channel, "calls", pause=1.5 * PAUSE),
        ]
        for guest in self.guests:
            guest.start()

    # --- looking

    @property
    def api(self):
        return self.tidegate.api

    def route(self, name):
        return self.api.route(name)

    def health_of(self, endpoint):
        """The states of the address, one for each cluster that has it."""
        return {one["state"] for cluster in self.api.status()["clusters"] for one in cluster["endpoints"] if one["address"] == endpoint.address}

    def goes_on(self, answers=4):
        """Every guest has asked and was answered so often more. A tunnel to an endpoint that stands still waits for it."""
        blocked = {"tunnel", "tunnel-tls"} if self.sick and self.sick[1] == "stopped" else set()

        def counts():
            with self.book.lock:
                return Counter(result.who for result in self.book.results)
        before = counts()

        def enough():
            now = counts()
            behind = [guest.name for guest in self.guests if guest.name not in blocked and now[guest.name] < before[guest.name] + answers]
            assert not behind, behind
            assert all(guest.is_alive() for guest in self.guests), [guest.crash for guest in self.guests if guest.crash]
            return True
        eventually(enough, "everybody is answered", LONG, 0.02)

    def excuse(self, why, came, kinds, routes):
        self.excuses.append(Excuse(why, came, kinds, set(routes)))
        return self.excuses[-1]

    # --- what has to be so, after every event

    def holds(self):
        self._reverts_have_causes()
        self._decisions_stand()
        self._answers_are_right()
        self._gauges_make_sense()

    def _gauges_make_sense(self):
        """What is in flight is never less than nothing, nor more than all clients could have."""
        for (name, labels), value in self.api.metrics().items():
            if name.endswith("_in_flight") or name.endswith("_connections"):
                assert 0 <= value <= 300, (name, labels, value)

    def _decisions_stand(self):
        now = {route["name"]: route for route in self.api.status()["routes"]}
        for name, wanted in self.wanted.items():
            one = now[name]
            expected = (wanted["weight"], wanted["latched"], wanted["epoch"], wanted["mirror"])
            seen = (one["weight"]["wanted"], one["latched"], one["epoch"], one["mirror"]["percent"] if wanted["mirror"] is not None else None)
            assert seen == expected or one["latched"] and name in self.suspects, (name, one, wanted)
            assert one["weight"]["effective"] == (0 if one["latched"] else one["weight"]["wanted"]), one

    def _reverts_have_causes(self):
        made = [d for d in self._decisions() if d["action"] == "revert"]
        for one in made[self.injected_reverts:]:
            route = one["route"]
            assert route in self.suspects, f"a revert without cause: {one}"
            self.injected_reverts += 1
            self.events.append(f"  (the gate reverted {route}: {one['reason']})")
            self.wanted[route].update(weight=self.route(route)["weight"]["wanted"], latched=True, epoch=self.route(route)["epoch"])
            self._rearm(route)
            self._set_weight(route, 50)
        if self.sick is None:
            self.suspects.clear()

    def _decisions(self):
        """All of them, the first one first."""
        answer = self.api.get("/api/v1/history?limit=1000")
        assert answer.status == 200, answer
        return list(reversed(answer.json["decisions"]))

    def _answers_are_right(self):
        with self.book.lock:
            results, self.judged = self.book.results[self.judged:], len(self.book.results)
        failed = [r for r in results if r.came != WHOLE and not any(excuse.covers(r) for excuse in self.excuses)]
        assert not failed, f"{len(failed)} of {len(results)} failed without cause:\n" + "\n".join(
            f"  {r} (in flight {self._during(r)})" for r in failed[:10])
        for r in results:
            if r.tag is not None and r.came == WHOLE:
                assert r.tag in self._tags_at(r.began, r.ended), f"{r} has the configuration {r.tag}; there were {self.tags}"

    def _during(self, result):
        return [what for what, began, ended in self.times if began <= result.ended and result.began <= ended]

    # --- which configuration

    def _open_tag(self, tag):
        self.tags.append([tag, time.monotonic(), None])

    def _tags_at(self, began, ended):
        out = set()
        for i, (tag, since, _) in enumerate(self.tags):
            replaced = self.tags[i + 1][2] if i + 1 < len(self.tags) else None
            if since <= ended and (replaced is None or began <= replaced):
                out.add(tag)
        return out

    # --- parts of events

    def _config_edited(self, *edits):
        config = copy.deepcopy(self.tidegate.config)
        for edit in edits:
            edit(config)
        return config

    def _tag_edit(self):
        tag = f"tag-{len(self.tags)}"

        def edit(config):
            for route in config["routes"]:
                if "request_headers" in route:
                    route["request_headers"] = {"set": {TAG: tag}}
        return tag, edit

    def _reload(self, *edits):
        """By one of the ways; every reload changes the tag."""
        tag, tagged = self._tag_edit()
        config = self._config_edited(tagged, *edits)
        way = self.random.choice(("api", "SIGHUP"))
        good = lambda: self.api.metric("tidegate_config_reloads_total", result="success")
        before, connections = good(), self._connections_made()
        self._open_tag(tag)
        if way == "api":
            self.tidegate.reload(config)
        else:
            self.tidegate.replace_config(config)
            self.tidegate.signal(signal.SIGHUP)
            eventually(lambda: good() == before + 1, f"the reload; in the log:\n{self.tidegate.output[-2000:]}", LONG)
        self.tags[-1][2] = time.monotonic()
        assert good() == before + 1
        for _ in range(3):
            with Client(self.tidegate.names["plain"], timeout=LONG) as client:
                response = client.get("/api/bytes/5", fields=f"{ID}: {self._aside()}\r\nConnection: close\r\n")
                assert (response.status, response.get(TAG)) == (200, tag), response
        assert self.sick or self._connections_made() == connections, "a reload sent clients away"

    def _connections_made(self):
        return {guest.name: guest.connections for guest in self.guests if isinstance(guest, (KeptGuest, StreamGuest))}

    def _aside(self):
        """The id of a request that is looked at where it is made."""
        id = self.book.id("driver")
        with self.book.lock:
            self.book.left.add(id)
        return id

    def _set_weight(self, route, percent):
        answer, before = self.api.weight(percent, route=route), self.wanted[route]
        assert answer.json["epoch"] > before["epoch"] or "already" in answer.text and percent == before["weight"], (answer, before)
        self.acknowledged[answer.json["epoch"]] = self.acknowledged.get(answer.json["epoch"], (route, percent))
        self.wanted[route].update(weight=percent, epoch=answer.json["epoch"])

    def _rearm(self, route):
        self.api.post("rearm", route=route)
        now = self.route(route)
        assert not now["latched"] and now["weight"]["effective"] == 0, now
        self.wanted[route].update(latched=False, weight=now["weight"]["wanted"], epoch=now["epoch"])

    def _decided_by_file(self, route, **wanted):
        now = self.route(route)
        assert now["epoch"] > self.wanted[route]["epoch"], now
        self.wanted[route].update(epoch=now["epoch"], **wanted)

    def _share_fits(self, route, percent, of=150):
        """What is asked from now on goes to the sides by the weight. Only where nothing is sick."""
        began = time.monotonic()

        def settled():
            with self.book.lock:
                found = [r.side for r in self.book.results[-5000:] if r.route == route and r.began >= began and r.side]
            assert len(found) >= of, len(found)
            return found
        sides = eventually(settled, f"{of} answers of {route}", LONG, 0.05)
        share = 100 * sum(1 for side in sides if side.startswith("new")) / len(sides)
        fits = abs(share - percent) <= 8 if 0 < percent < 100 else share == percent
        assert fits, f"{route}: {share} % of {len(sides)} for a weight of {percent}; in the log, by side and reason: {self._logged_as(route)}"

    def _logged_as(self, route):
        """How the requests of the route's present epoch came to their sides, and who is said to be unwell."""
        epoch = self.wanted[route]["epoch"]
        with open(self.log) as file:
            lines = [json.loads(line) for line in file.read().splitlines() if line.endswith("}")]
        ill = [line for line in self.tidegate.lines[-200:] if "unhealthy" in line or "healthy again" in line or "left out" in line]
        return Counter((one["side"], one["reason"]) for one in lines if one["route_name"] == route and one["epoch"] == epoch), ill[-6:]

    def _is_well(self):
        return self.sick is None

    def _cluster_of(self, endpoint):
        return next(name for name, members in (("old", self.old), ("new", self.new), ("new-h2", self.new_streams)) if endpoint in members)

    def _in_use(self):
        """Endpoints that take requests and whose side has another one that does."""
        out = []
        for members in (self.in_names, *self.in_file.values()):
            out += members if len(members) > 1 else []
        return out

    # --- the events. Each says what it does, in a word or two, for the list that is printed.

    def weight(self):
        route, percent = self.random.choice(WEIGHTED), self.random.choice((0, 1, 10, 25, 50, 75, 90, 99, 100, 33.33))
        yield f"weight {route} {percent}"
        if self.wanted[route]["latched"]:
            answer = self.api.weight(percent, route=route, expect=None)
            assert answer.status == 409 or percent == 0 and "already" in answer.text, answer
            return
        if self.wanted[route]["epoch"] > 0 and self.random.random() < 0.2:
            stale = self.api.weight(percent, route=route, expect=None, fields={"If-Match": str(self.wanted[route]["epoch"] - 1)})
            assert stale.status == 412, stale
            self._decisions_stand()
        self._set_weight(route, percent)
        if self._is_well() and route in ("api", "streams", "hedged"):
            self._share_fits(route, percent)

    def mirror(self):
        percent = self.random.choice((0, 1, 25, 50, 100))
        yield f"mirror {percent}"
        answer = self.api.mirror(percent, route="shadow")
        self.wanted["shadow"].update(mirror=percent, epoch=answer.json["epoch"])

    def reload_limits(self):
        size, pool = self.random.choice((300, 600, 1024)), self.random.choice((6, 12, 300, 1024))
        yield f"reload with other limits ({size}) and pools ({pool})"

        def edit(config):
            config["listeners"][0]["limits"] = {"connections": 10 * size, "h2_streams": size // 10, "headers": size // 10}
            config["listeners"][0]["timeouts"] = {"idle": f"{size // 10}s"}
            for name in ("old", "new", "new-h2"):
                config["clusters"][name]["pool"] = {"idle_timeout": "1s", "connections": pool}
        self._reload(edit)

    def reload_routes(self):
        yield "reload with routes that come, go and change places"

        def edit(config):
            routes = config["routes"]
            extra = [route for route in routes if route["name"].startswith("extra")]
            if extra:
                routes.remove(extra[0])
                config["clusters"].pop("extra", None)
            else:
                config["clusters"]["extra"] = {"endpoints": [self.shadow.address], "health": {"path": HEALTH, "interval": "100ms"}}
                routes.insert(0, {"name": f"extra-{len(self.tags)}", "match": {"path": {"prefix": "/extra"}}, "old": "extra", "new": "new"})
            self.random.shuffle(routes)
        self._reload(edit)

    def reload_listener(self):
        yield "reload with a listener that comes or goes"

        def edit(config):
            if len(config["listeners"]) > 3:
                config["listeners"].pop()
            else:
                config["listeners"].append({"name": "extra", "address": "127.0.0.1:0"})
        self._reload(edit)

    def reload_endpoints(self):
        cluster = self.random.choice(("new", "new-h2"))
        members = {"new": self.new, "new-h2": self.new_streams}[cluster]
        chosen = self.random.choice((members, members[:1], members[1:], list(reversed(members))))
        if self.sick and self.sick[0] in members:
            chosen = members if self.random.random() < 0.5 else list(reversed(members))
            chosen = [one for one in chosen if one in self.in_file[cluster]]
        yield f"reload with endpoints of {cluster}: {' '.join(one.name for one in chosen)}"
        self.in_file[cluster] = list(chosen)
        self._reload(lambda config: config["clusters"][cluster].update(endpoints=[one.address for one in chosen]))
        addresses = lambda: {one["address"] for c in self.api.status()["clusters"] if c["name"] == cluster for one in c["endpoints"]}
        eventually(lambda: addresses() == {one.address for one in chosen}, "the endpoints", LONG)

    def reload_weight(self):
        route = self.random.choice(WEIGHTED)
        before = next(r for r in self.tidegate.config["routes"] if r["name"] == route)["weight"]
        percent = self.random.choice([each for each in (5, 20, 45, 60, 80) if each != before])
        yield f"reload with a weight of {route}: {percent}"

        def edit(config):
            next(r for r in config["routes"] if r["name"] == route)["weight"] = percent
        latched = self.wanted[route]["latched"]
        self._reload(edit)
        now = self.route(route)
        if latched:
            assert now["latched"] and now["weight"]["effective"] == 0, now
            self.wanted[route].update(weight=now["weight"]["wanted"], epoch=now["epoch"])
        elif now["epoch"] == self.wanted[route]["epoch"]:
            assert now["weight"]["wanted"] == percent == self.wanted[route]["weight"], now
        else:
            self._decided_by_file(route, weight=percent)
            assert now["weight"]["effective"] == percent, now

    def certificate_changes(self):
        yield "another certificate"
        self.certificate = self.pki.issue()

        def edit(config):
            for listener in config["listeners"]:
                if "tls" in listener:
                    listener["tls"]["certificates"] = [self.certificate.files()]
        self._reload(edit)
        with Client(self.tidegate.names["secure"], tls=self.pki.client(), timeout=LONG) as client:
            assert client.socket.getpeercert()["serialNumber"].lstrip("0") == self.certificate.serial.lstrip("0")

    BROKEN = {
        "an unknown key": lambda config: config["routes"][0].update(wieght=5),
        "an unknown cluster": lambda config: config["routes"][0].update(new="nowhere"),
        "other workers": lambda config: config.update(workers=7),
        "a certificate that is not there": lambda config: config["listeners"][1]["tls"].update(certificates=[{"cert": "/no.crt", "key": "/no.key"}]),
        "a weight that is none": lambda config: config["routes"][0].update(weight=101),
        "no YAML": None,
    }

    def _break_file(self):
        """@return what the file was, to be put back"""
        what = self.random.choice(list(self.BROKEN))
        good = self.tidegate.config
        broken = "routes: [}" if self.BROKEN[what] is None else self._config_edited(self.BROKEN[what])
        return what, good, broken

    def reload_broken(self):
        what, good, broken = self._break_file()
        way = self.random.choice(("api", "SIGHUP"))
        yield f"reload with {what} by {way}"
        bad = lambda: self.api.metric("tidegate_config_reloads_total", result="failure")
        before, in_force = bad(), self.api.get("/api/v1/config").text
        self.errors_explained.append(r"not reloaded|tidegate\.yaml|takes a new process")
        self.tidegate.write_config(broken)
        try:
            if way == "api":
                answer = self.api.call("POST", "/api/v1/reload", {})
                assert answer.status == 422, answer
            else:
                self.tidegate.signal(signal.SIGHUP)
            eventually(lambda: bad() == before + 1, "the refusal", LONG)
            assert self.api.get("/api/v1/config").text == in_force and self.api.get("/readyz").status == 200
            self._decisions_stand()
        finally:
            self.tidegate.write_config(good)

    def upgrade_broken(self):
        what, good, broken = self._break_file()
        while what == "other workers":
            what, good, broken = self._break_file()
        yield f"an upgrade with {what}"
        self.errors_explained.append(r"upgrade failed|tidegate\.yaml")
        seen, first = len(self.tidegate.lines), self.tidegate.pid
        self.tidegate.write_config(broken)
        try:
            self.tidegate.signal(signal.SIGUSR2)
            eventually(lambda: any("upgrade failed: " in line for line in self.tidegate.lines[seen:]), "the refusal", LONG)
            assert self.tidegate.process.poll() is None and self.tidegate.pid == first and self.api.get("/readyz").status == 200
        finally:
            self.tidegate.write_config(good)

    def upgrade(self):
        yield f"upgrade{' with ' + self.sick[1] + ' ' + self.sick[0].name if self.sick else ''}"
        excuses = []
        if self.sick:      # the new process has yet to find out
            excuses = self._excuses_of_sick("upgrade")
        tag, tagged = self._tag_edit()
        workers = self.random.choice((1, 2, 3))
        self.most_workers = max(self.most_workers, workers)
        self.tidegate.write_config(self._config_edited(tagged, lambda config: config.update(workers=workers)))
        self._open_tag(tag)
        before = self.tidegate.begin_upgrade(LONG)
        self.goes_on(2)
        self._decisions_stand()
        assert before.wait(LONG) == 0, self.tidegate.output[-3000:]
        self.tags[-1][2] = time.monotonic()
        self.upgrades += 1
        if self.sick:
            self._is_noticed()
            self._over(excuses)

    def _excuses_of_sick(self, why):
        endpoint, how = self.sick
        routes = self.routes_of[self._cluster_of(endpoint)] | {"leavers"}
        if endpoint not in self.old:        # a sick old is no cause to revert
            self.suspects |= routes
        return [self.excuse(f"{why}: {endpoint.name} {how}", {"cut"}, SAFE, routes),
                self.excuse(f"{why}: {endpoint.name} {how}", LOST_CONNECTION, ("post", "tunnel"), routes)]

    def _is_noticed(self):
        eventually(lambda: self.health_of(self.sick[0]) == {"unhealthy"}, f"{self.sick[0].name} is unhealthy", LONG)

    def _over(self, excuses):
        """No request that begins now is excused any more: every worker has been told, as the others' requests have shown."""
        self.goes_on(2)
        for one in excuses:
            one.over()

    def kill_endpoint(self):
        if self.sick or not self._in_use():
            return
        endpoint = self.random.choice(self._in_use())
        yield f"kill {endpoint.name}"
        self.sick = (endpoint, "dead")
        excuses = self._excuses_of_sick("kill")
        endpoint.kill()
        self._is_noticed()
        self._over(excuses)

    def stop_endpoint(self):
        if self.sick or not self._in_use():
            return
        endpoint = self.random.choice(self._in_use())
        yield f"stop {endpoint.name}"
        self.sick = (endpoint, "stopped")
        excuses = self._excuses_of_sick("stop")
        endpoint.stop()
        self._is_noticed()
        self._over(excuses)

    def heal_endpoint(self):
        if not self.sick:
            return
        endpoint, how = self.sick
        yield f"heal {endpoint.name}, {how}"
        endpoint.begin().wait_ready() if how == "dead" else endpoint.stop(False)
        eventually(lambda: self.health_of(endpoint) == {"healthy"}, f"{endpoint.name} is healthy", LONG)
        self.goes_on(2)     # what had been sent to it before is told by now
        self.sick = None

    def restart_endpoint(self):
        if self.sick or not self._in_use():
            return
        endpoint = self.random.choice(self._in_use())
        yield f"restart {endpoint.name}"
        self.sick = (endpoint, "restarted")
        excuses = self._excuses_of_sick("restart")
        endpoint.kill()
        endpoint.begin().wait_ready()
        self.goes_on(2)
        eventually(lambda: self.health_of(endpoint) == {"healthy"}, f"{endpoint.name} is healthy", LONG)
        self._over(excuses)
        self.sick = None

    def names_change(self):
        chosen = self.random.choice((self.old, self.old[:1], self.old[1:]))
        if self.sick and self.sick[0] in self.old:
            chosen = [one for one in self.old if one in self.in_names]
        yield f"DNS: {' '.join(one.host for one in chosen)}"
        self.in_names = list(chosen)
        self.names.answers(*(a(one.host) for one in chosen), code=NOERROR)
        addresses = lambda: {one["address"] for c in self.api.status()["clusters"] if c["name"] == "old" for one in c["endpoints"]}
        eventually(lambda: addresses() == {one.address for one in chosen}, "the addresses", LONG)

    def names_break(self):
        code = self.random.choice((SERVFAIL, NXDOMAIN))
        yield f"DNS fails ({code})"
        asked = len(self.names.queries)
        self.names.answers(code=code)
        eventually(lambda: len(self.names.queries) >= asked + 2, "questions", LONG)
        self.goes_on(3)
        self.names.answers(*(a(one.host) for one in self.in_names), code=NOERROR)

    def revert(self):
        route = self.random.choice(WEIGHTED)
        yield f"revert {route}"
        if self.wanted[route]["latched"]:
            return
        answer = self.api.post("revert", route=route, body={"reason": "drill"})
        self.injected_reverts += 1
        now = self.route(route)
        assert now["latched"] and now["weight"]["effective"] == 0 and now["epoch"] == answer.json["epoch"], (now, answer)
        self.wanted[route].update(latched=True, weight=now["weight"]["wanted"], epoch=now["epoch"])
        if self._is_well() and route in ("api", "streams", "hedged"):
            self._share_fits(route, 0, of=60)

    def rearm(self):
        latched = [route for route, wanted in self.wanted.items() if wanted["latched"]]
        if not latched:
            return
        route = self.random.choice(latched)
        yield f"rearm {route}"
        self._rearm(route)

    def new_fails(self):
        """503 of every endpoint of new: the gate reverts, clients of safe requests see nothing."""
        if not self._is_well() or self.wanted["api"]["latched"]:
            return
        yield "every endpoint of new answers 503"
        self._new_fails_ends(self._new_fails_begins())

    def _new_fails_begins(self):
        if self.wanted["api"]["weight"] < 10:
            self._set_weight("api", 50)
        routes = self.routes_of["new"] | {"leavers"}
        self.suspects |= routes
        failing = self.excuse("new fails", {"status 503"}, ("post", "tunnel"), routes)
        for one in self.new:
            one.fail()
        return failing

    def _new_fails_ends(self, failing):
        now = eventually(lambda: (lambda r: r["latched"] and r)(self.route("api")), "the revert of the gate", LONG)
        assert now["weight"]["effective"] == 0
        for one in self.new:
            one.fail(False)
        self.goes_on(3)
        failing.over()
        eventually(lambda: [d for d in self._decisions() if d["action"] == "revert"][self.injected_reverts:], "the decision", LONG)
        self._reverts_have_causes()
        eventually(lambda: all(self.health_of(one) == {"healthy"} for one in self.in_file["new"]), "nobody is left out any more", LONG)

    def slow_clients(self):
        yield "slow clients come and go"
        self._visit(self._slow(3), 1)

    def _slow(self, count):
        made = []
        for _ in range(count):
            self.visitors += 1
            made += [SlowReader(self.book, f"reader-{self.visitors}", self.tidegate.names["plain"], ("api", "shadow", "streams")),
                     SlowSender(self.book, f"sender-{self.visitors}", self.tidegate.names["secure1"], ("api", "shadow", "streams"),
                                tls=self.pki.client())]
        return made

    def clients_vanish(self):
        yield "clients vanish"
        self._visit(self._vanishing(4), 12)

    def _vanishing(self, count):
        made = []
        for i in range(count):
            self.visitors += 1
            secure = i % 2
            made.append(Vanisher(self.book, f"vanisher-{self.visitors}", self.tidegate.names["secure1" if secure else "plain"], ("leavers",),
                                 tls=self.pki.client() if secure else None))
        return made

    def amid_crowds(self):
        """Another event while clients are slow and vanish."""
        names = [name for name in self.AMID if not ONLY or name in ONLY or "amid_crowds" in ONLY]
        event = getattr(self, self.random.choice(names))()
        title = next(event, None)
        if title is None:
            return
        yield f"amid slow clients and such as vanish: {title}"
        guests = self._slow(2) + self._vanishing(3)
        for guest in guests:
            guest.start()
        eventually(lambda: all(guest.visits >= 1 or guest.crash for guest in guests), "the crowd", LONG)
        for _ in event:
            pass
        self._visit(guests, 2, begun=True)

    def kill_in_upgrade(self):
        """Both processes find out by themselves."""
        if self.sick or not self._in_use():
            return
        endpoint = self.random.choice(self._in_use())
        yield f"upgrade, and kill {endpoint.name} meanwhile"
        self.sick = (endpoint, "dead")
        excuses = self._excuses_of_sick("kill")
        killing = threading.Timer(self.random.choice((0, 0.02, 0.05, 0.1)), endpoint.kill)
        killing.start()
        before = self.tidegate.begin_upgrade(LONG)
        killing.join()
        assert before.wait(LONG) == 0, self.tidegate.output[-3000:]
        self.upgrades += 1
        self._is_noticed()
        self._over(excuses)

    def new_fails_in_upgrade(self):
        """Whichever process finds out: the revert is in force and latched in the one that serves on."""
        if not self._is_well() or self.wanted["api"]["latched"]:
            return
        yield "upgrade, and every endpoint of new answers 503 meanwhile"
        failing = self._new_fails_begins()
        before = self.tidegate.begin_upgrade(LONG)
        self._new_fails_ends(failing)
        assert before.wait(LONG) == 0, self.tidegate.output[-3000:]
        self.upgrades += 1

    def decide_in_change(self):
        """Somebody sets weights all the time while it is reloaded and upgraded: the last one that was answered with 200 is in force."""
        if self.wanted["calls"]["latched"]:
            return
        yield "weights of calls are set all the time, over a reload and an upgrade"
        taken, odd, over = [], [], threading.Event()

        def people():
            turn = 0
            while not over.wait(0.002):
                turn += 1
                percent = turn % 9000 / 100
                try:
                    answer = self.api.weight(percent, route="calls", expect=None)
                except OSError as error:
                    odd.append(repr(error))
                    continue
                if answer.status == 200:
                    taken.append((percent, answer.json["epoch"]))
                elif answer.status not in (409, 503):
                    odd.append(answer)
        setting = threading.Thread(target=people, daemon=True)
        setting.start()
        try:
            eventually(lambda: len(taken) >= 5, "decisions", LONG)
            self._reload()
            sick = self._excuses_of_sick("upgrade") if self.sick else []
            before = self.tidegate.begin_upgrade(LONG)
            seen = len(taken)
            eventually(lambda: len(taken) >= seen + 5, "decisions", LONG)
            assert before.wait(LONG) == 0, self.tidegate.output[-3000:]
            self.upgrades += 1
        finally:
            over.set()
            setting.join(LONG)
        assert not odd, odd[:5]
        epochs = [epoch for _, epoch in taken]
        self.acknowledged.update({epoch: ("calls", percent) for percent, epoch in taken})
        assert epochs == sorted(set(epochs)), "epochs go up"
        self.wanted["calls"].update(weight=taken[-1][0], epoch=taken[-1][1])
        if self.sick:
            self._is_noticed()
            self._over(sick)

    def reload_in_upgrade(self):
        """Of the new process, while the one before drains; and a decision."""
        yield "upgrade, and reload and weight while the one before drains"
        tag, tagged = self._tag_edit()
        sick = self._excuses_of_sick("upgrade") if self.sick else []
        self._open_tag(tag)     # the one before goes on with its own
        before = self.tidegate.begin_upgrade(LONG)
        self.tidegate.reload(self._config_edited(tagged))
        route = self.random.choice([name for name, wanted in self.wanted.items() if not wanted["latched"] and name in WEIGHTED] or ["leavers"])
        self._set_weight(route, self.random.choice((15, 55, 95)))
        assert before.wait(LONG) == 0, self.tidegate.output[-3000:]
        self.tags[-1][2] = time.monotonic()
        self.upgrades += 1
        if self.sick:
            self._is_noticed()
            self._over(sick)

    def _visit(self, guests, visits, begun=False):
        for guest in guests if not begun else ():
            guest.start()
        eventually(lambda: all(guest.visits >= visits or guest.crash for guest in guests), "their visits", LONG)
        for guest in guests:
            guest.stop()
        for guest in guests:
            guest.join_well()

    def shadow_dies(self):
        yield "the mirror's target comes back" if self.shadow_dead else "the mirror's target dies"
        if self.shadow_dead:
            self.shadow.begin().wait_ready()
            eventually(lambda: self.health_of(self.shadow) == {"healthy"}, "it is healthy", LONG)
        else:
            self.shadow.kill()
        self.shadow_dead = not self.shadow_dead

    def tidegate_stands_still(self):
        yield "the process is stopped and goes on"
        with self.tidegate.stopped():
            waiting = [Client(self.tidegate.names["plain"], timeout=LONG) for _ in range(10)]
            for client in waiting:
                client.send(f"GET /api/bytes/7 HTTP/1.1\r\nHost: a\r\n{ID}: {self._aside()}\r\nConnection: close\r\n\r\n")
        for client in waiting:
            assert client.read_response().status == 200
            client.close()

    CHOICES = {"weight": 6, "mirror": 2, "reload_limits": 2, "reload_routes": 2, "reload_listener": 1, "reload_endpoints": 2, "reload_weight": 2,
               "certificate_changes": 1, "reload_broken": 2, "upgrade_broken": 1, "upgrade": 3, "kill_endpoint": 4, "stop_endpoint": 2,
               "heal_endpoint": 6, "restart_endpoint": 2, "names_change": 2, "names_break": 1, "revert": 2, "rearm": 4, "new_fails": 1,
               "slow_clients": 2, "clients_vanish": 2, "shadow_dies": 2, "tidegate_stands_still": 1, "amid_crowds": 6, "kill_in_upgrade": 1,
               "reload_in_upgrade": 1, "new_fails_in_upgrade": 1, "decide_in_change": 1}
    AMID = ("upgrade", "kill_in_upgrade", "reload_in_upgrade", "reload_limits", "reload_routes", "reload_endpoints", "certificate_changes",
            "kill_endpoint", "restart_endpoint", "heal_endpoint", "names_change", "new_fails", "new_fails_in_upgrade", "decide_in_change")

    # --- the story

    def run(self, events):
        self.times = []
        self._invite()
        self.goes_on()
        choices = {name: share for name, share in self.CHOICES.items() if not ONLY or name in ONLY}
        happened = 0
        while happened < events:
            event = getattr(self, self.random.choices(list(choices), choices.values())[0])()
            title = next(event, None)
            if title is None:
                continue
            happened += 1
            began = time.monotonic()
            self.events.append(f"{happened}. {title}")
            self.times.append((title, began, float("inf")))
            for _ in event:
                pass
            self.goes_on(2)
            self.holds()
            self.times[-1] = (title, began, time.monotonic())
            self.events[-1 if self.events[-1].startswith(f"{happened}.") else -2] += f" ({time.monotonic() - began:.1f} s)"
        self.end()

    def _heal(self):
        for _ in self.heal_endpoint():
            pass
        if self.shadow_dead:
            for _ in self.shadow_dies():
                pass

    def end(self):
        self.events.append("the end")
        self._heal()
        self.goes_on()
        for guest in self.guests:
            guest.stop()
        for guest in self.guests:
            guest.join_well()
        self.channel.close()
        self.holds()
        self._is_at_rest()
        self._executed_once()
        self._counted_and_logged()
        self._mirror_adds_up()
        fds, threads, mib = self._footprint(), self.tidegate.threads(), self.tidegate.rss_mib()
        self._survives()
        fresh_fds, fresh_threads = self.tidegate._fds(), self.tidegate.threads()
        handed_on = len(self.tidegate.config["listeners"]) * (self.most_workers - self.tidegate.config["workers"])
        assert len(fds) <= fresh_fds + 3 + handed_on, (
            f"{len(fds)} descriptors; a new process has {fresh_fds}: {Counter(fds)} {Counter(self.tidegate.fd_list())}")
        assert threads.total() <= fresh_threads.total() + 1, (threads, fresh_threads)
        assert mib < GROWTH_MIB * memory_slack(), f"{mib} MiB"
        self._errors_are_explained()

    def _is_at_rest(self):
        def at_rest():
            metrics = self.api.metrics()

            def total(name, **labels):
                return sum(value for (series, has), value in metrics.items() if series == name and set(labels.items()) <= has)
            left = {"clients": total("tidegate_downstream_connections"), "requests": total("tidegate_http_requests_in_flight"),
                    "upstream": total("tidegate_upstream_connections", state="active"), "tunnels": total("tidegate_upgraded_connections"),
                    "copies": total("tidegate_mirror_in_flight"), "idle": total("tidegate_upstream_connections", state="idle")}
            assert not any(left.values()), left
            return True
        eventually(at_rest, "nothing is in flight", LONG, 0.05)
        for route in self.api.status()["routes"]:
            assert route["in_flight"] == 0, route

    def _executed_once(self):
        executed = Counter()
        for endpoint in self.endpoints:
            for id, how in endpoint.executed():
                assert (how == "copy") == (endpoint is self.shadow), (endpoint.name, id, how)
                executed[id, endpoint is self.shadow] += 1
        twice = [one for one, count in executed.items() if count > 1]
        assert not twice, f"executed twice: {twice[:10]}"
        done = {id for id, copy in executed if not copy}
        lost = [r for r in self.book.results if r.kind == "post" and r.came == WHOLE and r.id not in done]
        assert not lost, f"answered and not executed: {lost[:5]}"

    def _counted_and_logged(self):
        """A line for every request, of whichever process; the counters of this process count what it answers."""
        results = {}
        for r in self.book.results:
            assert r.id not in results, (r, results[r.id])
            results[r.id] = r
        dropped = self.api.metric("tidegate_access_log_dropped_total")
        places = {endpoint.name: endpoint.address for endpoint in self.endpoints}
        places.update({endpoint.name: f"{NAME}:{endpoint.port}" for endpoint in self.old})     # as the file has it

        def logged():
            lines = {}
            with open(self.log) as file:
                for line in file.read().splitlines():
                    one = json.loads(line)
                    lines.setdefault(one["request_id"], []).append(one)
            missing = [r for id, r in results.items() if r.status and id not in lines]
            assert not missing or dropped, f"{len(missing)} without a line: {missing[:5]}"
            return lines
        lines = eventually(logged, "a line for every request", LONG, 0.2)
        for id, r in results.items():
            if r.status and id in lines:
                codes = [line["response_code"] for line in lines[id]]
                assert len(codes) == 1 or id in self.book.resent, (r, lines[id])
                assert r.status in codes or r.came == "cut", (r, lines[id])
                if r.side in places and r.came == WHOLE and len(codes) == 1:
                    assert lines[id][0]["upstream_host"] == places[r.side], (r, lines[id])
        strangers = [id for id in lines if id not in results and id not in self.book.left and id not in self.book.resent]
        assert not strangers, strangers[:5]

        def counted():
            out = Counter()
            for (name, labels), value in self.api.metrics().items():
                if name == "http_requests_total":
                    out[tuple(dict(labels)[label] for label in ("route", "method", "status"))] += int(value)
            return out
        if not self.upgrades and not dropped:
            told = Counter((line["route_name"], line["method"], str(line["response_code"])) for each in lines.values() for line in each
                           if line["response_code"])
            assert counted() == told, (counted() - told, told - counted())
        before = counted()
        with Client(self.tidegate.names["plain"], timeout=LONG) as client:
            for i in range(30):
                id = self._aside()
                assert client.get("/api/bytes/3", fields=f"{ID}: {id}\r\n").body == bytes_of(id, 3)
        eventually(lambda: counted() - before == Counter({("api", "GET", "200"): 30}), "30 more", LONG)

    def _mirror_adds_up(self):
        one = self.route("shadow")["mirror"]
        assert one["received"] == one["mirrored"] + sum(one["dropped"].values()) and one["in_flight"] == 0, one
        metrics = self.api.metrics()

        def total(series, *more):
            return sum(value for (name, labels), value in metrics.items() if name == series and {("route", "shadow"), *more} <= labels)
        sums = [total("tidegate_mirror_requests_total", ("result", "received")), total("tidegate_mirror_requests_total", ("result", "mirrored")),
                total("tidegate_mirror_dropped_total")]
        assert sums[0] == sums[1] + sums[2] == one["received"], (sums, one)
        served = total("http_requests_total")
        assert one["received"] == served, f"{one['received']} were offered to the mirror of {served}"

    def _footprint(self):
        """The least that is seen: health checks and questions for names come and go."""
        least = []

        def seen():
            now = [target for target in self.tidegate.fd_list() if ".db" not in target]
            least.append(now)
            return len(least) >= 40
        eventually(seen, "a look", LONG, 0.05)
        return min(least, key=len)

    def _survives(self):
        """A restart, and a kill -9 right after a decision."""
        assert self.tidegate.terminate(LONG) == 0
        self.earlier_lines += self.tidegate.lines
        self.tidegate.start()
        self._decisions_stand()
        route = next((name for name in WEIGHTED if not self.wanted[name]["latched"]), None)
        if route:
            self._set_weight(route, 12.34)
        self.tidegate.kill()
        self.earlier_lines += self.tidegate.lines
        self.tidegate.start()
        self._decisions_stand()
        self._reverts_have_causes()
        history = {d["epoch"]: d for d in self._decisions()}
        for epoch, (route, percent) in self.acknowledged.items():
            if epoch >= min(history):
                made = history.get(epoch)
                assert made and made["route"] == route and (made["action"] != "weight" or float(made["to"]) == percent), (epoch, route, percent, made)
        self.tidegate.descriptors_are_its_own()

    def _errors_are_explained(self):
        explained = re.compile("|".join(self.errors_explained) or r"\Z.")
        odd = [line for line in self.earlier_lines + self.tidegate.lines if re.match(r"\S+ error ", line) and not explained.search(line)]
        assert not odd, odd[:10]

    def summary(self):
        with self.book.lock:
            came = Counter(f"{r.kind}: {r.came}" for r in self.book.results)
        excused = sum(count for what, count in came.items() if not what.endswith(WHOLE))
        return (f"seed {self.seed}: {len(self.times)} events, {self.upgrades} upgrades, {sum(came.values()):,} requests, {excused} failures that "
                f"events account for, {len(self.book.resent)} sent again\n  {dict(came)}\n  " + "\n  ".join(self.events))


@pytest.mark.deadline((120 + 12 * EVENTS) * SLOW)
@pytest.mark.parametrize("seed", _seeds())
def test_whatever_happens_at_once_no_request_fails_without_cause_and_nothing_decided_is_forgotten(lab, seed):
    everything = Everything(lab, seed)
    try:
        everything.run(EVENTS)
    except BaseException as error:
        print(f"TIDEGATE_SOAK_SEED={seed} TIDEGATE_SOAK_EVENTS={EVENTS}: {error!r:.300}")
        raise
    finally:
        for guest in getattr(everything, "guests", ()):
            guest.stop()
        for endpoint in everything.endpoints:
            if endpoint.stopped:
                endpoint.stop(False)
        if hasattr(everything, "book"):
            print(everything.summary())
