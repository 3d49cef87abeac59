"""Tests of what the bench computes: `bench/run --self-test`. The texts are reports of the real tools."""

import json
import os
import re
import tempfile
import time
import unittest
import xml.etree.ElementTree

import accounting
import certificate
import comparison
import figures
import h2load
import handshakes
import idle
import origins
import peers
import picture
import proof
import report
import results
import scenarios
import session
import syscalls
import table
import wrk
from peers import envoy, haproxy, nghttpx, nginx, tidegate

GOOD = """Running 3s test @ http://127.0.0.1:20001/
  1 threads and 64 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency     2.93ms  812.33us  14.09ms   89.10%
    Req/Sec    22.01k     1.52k   24.53k    73.33%
  Latency Distribution
     50%    2.77ms
     75%    3.07ms
     90%    3.58ms
     99%  950.00us
  65703 requests in 3.00s, 74.56MB read
Requests/sec:  21892.31
Transfer/sec:     24.84MB
p99.9 4512 us
"""
TROUBLE = "  Socket errors: connect 1, read 2, write 3, timeout 4\n  Non-2xx or 3xx responses: 5\n"
BAD = GOOD.replace("Requests/sec", TROUBLE + "Requests/sec")


class WrkReport(unittest.TestCase):
    def test_a_good_report(self):
        report = wrk.parse(GOOD)
        self.assertEqual((report.requests, report.seconds, report.requests_per_second), (65703, 3.0, 21892.31))
        self.assertAlmostEqual(report.p50_ms, 2.77)
        self.assertAlmostEqual(report.p99_ms, 0.95)
        self.assertAlmostEqual(report.p999_ms, 4.512)
        self.assertAlmostEqual(report.bytes_read, 74.56 * 1048576)
        self.assertEqual((report.errors.total(), str(report.errors)), (0, "none"))

    def test_every_kind_of_error_counts(self):
        errors = wrk.parse(BAD).errors
        self.assertEqual((errors.not_2xx, errors.connect, errors.read, errors.write, errors.timeout), (5, 1, 2, 3, 4))
        self.assertEqual(errors.total(), 15)

    def test_durations_have_units(self):
        self.assertAlmostEqual(wrk.seconds_of("950.00us"), 950e-6)
        self.assertAlmostEqual(wrk.seconds_of("1.02m"), 61.2)

    def test_anything_else_is_refused(self):
        with self.assertRaises(report.NotAReport):
            wrk.parse("unable to connect to 127.0.0.1:1 Connection refused\n")


H2LOAD = """starting benchmark...
Application protocol: h2c
Main benchmark duration is over for thread #0. Stopping all clients.

finished in 3.00s, 1.33 req/s, 3.99MB/s
requests: 4 total, 164 started, 4 done, 4 succeeded, 0 failed, 0 errored, 0 timeout
status codes: 4 2xx, 0 3xx, 0 4xx, 0 5xx
traffic: 3.99MB (4186995) total, 2.70MB (2830512) headers (space savings 51.02%), 4.00KB (4096) data
                     min         max         mean         sd        +/- sd
time for request:       24us     12.45ms       630us       917us    94.35%
"""
H2LOAD_LOG = "".join(f"179587279859236{n}\t200\t{took}\n" for n, took in enumerate((4000, 1000, 3000, 2000)))
H2LOAD_BAD = H2LOAD.replace("4 succeeded, 0 failed, 0 errored, 0 timeout", "1 succeeded, 3 failed, 1 errored, 1 timeout")
H2LOAD_BAD = H2LOAD_BAD.replace("4 2xx, 0 3xx, 0 4xx, 0 5xx", "1 2xx, 0 3xx, 0 4xx, 1 5xx")


class H2loadReport(unittest.TestCase):
    def test_a_good_report_with_percentiles_of_the_log(self):
        said = h2load.parse(H2LOAD, H2LOAD_LOG)
        self.assertEqual((said.requests, said.seconds, said.requests_per_second, said.bytes_read), (4, 3.0, 1.33, 4096))
        self.assertEqual((said.p50_ms, said.p99_ms, said.p999_ms), (3.0, 4.0, 4.0))
        self.assertEqual((said.errors.total(), str(said.errors)), (0, "none"))
        self.assertEqual(h2load.parse(H2LOAD.replace("3.00s", "258.17ms"), H2LOAD_LOG).seconds, 0.25817)

    def test_every_kind_of_error_is_named_and_counted_once(self):
        errors = h2load.parse(H2LOAD_BAD, H2LOAD_LOG).errors
        self.assertEqual((errors.not_2xx, errors.failed, errors.errored, errors.timeout), (1, 3, 1, 1))
        self.assertEqual(errors.total(), 3)
        broken = H2LOAD.replace("0 failed, 0 errored", "10 failed, 10 errored")
        self.assertEqual(h2load.parse(broken, H2LOAD_LOG).errors.total(), 10)

    def test_a_log_of_other_requests_and_anything_else_are_refused(self):
        for text, log in ((H2LOAD, H2LOAD_LOG * 2), (H2LOAD.replace("4 succ", "5 succ"), H2LOAD_LOG), ("Connection refused\n", "")):
            with self.assertRaises(report.NotAReport):
                h2load.parse(text, log)

    def test_nothing_answered_is_a_report_and_a_problem(self):
        nothing = H2LOAD.replace("4 done, 4 succeeded", "0 done, 0 succeeded").replace("4 2xx", "0 2xx")
        self.assertEqual(h2load.parse(nothing, "").requests, 0)
        self.assertEqual(Results().measure(said=h2load.parse(nothing, "")).problem, "no request was answered")

    def test_what_is_measured_is_a_number_of_requests_and_the_warm_up_a_time(self):
        self.assertIn("--duration=3", h2load.arguments("http://x/", 16, 10, h2load.duration(3), "log"))
        self.assertIn("--requests=900", h2load.arguments("http://x/", 16, 10, h2load.number(900, 16), "log"))
        self.assertEqual(h2load.number(3, 16), "--requests=16")

    def test_a_message_of_grpc_has_its_length_in_front(self):
        self.assertEqual(h2load.message(3), b"\0\0\0\0\3xxx")

    def test_a_status_counts_in_trailers_only(self):
        head, data = "recv (stream_id=13) :status: 200\n", "recv DATA frame <length=9>\n"
        status = "recv (stream_id=13) grpc-status: "
        self.assertTrue(proof.ends_with_status(head + data + status + "0\n"))
        for text in (head + status + "0\n" + data, head + data, head + data + status + "14\n", ""):
            self.assertFalse(proof.ends_with_status(text), text)


HANDSHAKES = ('{"handshakes": 1295, "resumed": 0, "requests": 1273, "seconds": 2.0, "bytes": 187131, "p50_us": 92378, '
              '"p99_us": 170882, "p999_us": 181555, "connect": 0, "handshake": 0, "read": 0, "answer": 0, "timeout": 0}\n')


class HandshakesReport(unittest.TestCase):
    def test_a_good_report(self):
        said = handshakes.parse(HANDSHAKES)
        self.assertEqual((said.requests, said.requests_per_second, said.bytes_read, said.errors.total()), (1273, 636.5, 187131, 0))
        self.assertAlmostEqual(said.p50_ms, 92.378)

    def test_a_resumed_session_and_every_other_trouble_is_an_error(self):
        for kind in ("connect", "handshake", "resumed", "read", "answer", "timeout"):
            errors = handshakes.parse(HANDSHAKES.replace(f'"{kind}": 0', f'"{kind}": 7')).errors
            self.assertEqual((errors.total(), str(errors)), (7, f"{kind} 7"))

    def test_anything_else_is_refused(self):
        for text in ("", "connect: Connection refused\n", "{}", HANDSHAKES.replace("1295", "1272")):
            with self.assertRaises(report.NotAReport):
                handshakes.parse(text)


class Accounting(unittest.TestCase):
    def test_schedstat(self):
        self.assertEqual(accounting.parse_schedstat("104747 62724 2\n"), (104747, 62724))

    def test_a_name_with_blanks_and_parentheses_does_not_shift_the_ticks(self):
        text = "42 (a) b (c)) S 1 42 42 0 -1 4194560 100 0 0 0 17 23 0 0 20 0 4 0 1000 1 2 3\n"
        self.assertEqual(accounting.parse_stat_ticks(text), (17, 23))

    def test_resident_memory(self):
        self.assertEqual(accounting.parse_resident_kib("Name:\tx\nVmHWM:\t 9 kB\nVmRSS:\t  1234 kB\n"), 1234)

    def test_too_few_ticks_tell_nothing(self):
        self.assertIsNone(accounting.Usage(1, 1, 3, 4).user_share())
        self.assertEqual(accounting.Usage(1, 1, 30, 10).user_share(), 0.75)

    def test_this_process_is_seen_to_work(self):
        before = accounting.usage(os.getpid())
        while time.process_time_ns() < 50_000_000 + before.run_ns:
            pass
        self.assertGreaterEqual(accounting.usage(os.getpid()).since(before).run_ns, 30_000_000)

    def test_requests_at_an_origin(self):
        status = "Active connections: 3 \nserver accepts handled requests\n 17 18 19 \nReading: 0 Writing: 1 Waiting: 2 \n"
        self.assertEqual(origins.parse_requests(status), 19)

    def test_only_the_length_of_a_whole_upload_is_whole(self):
        for length in (origins.LARGE + 24, origins.LARGE + 200, origins.LARGE + 5000, 1099999):
            self.assertTrue(re.search(origins.WHOLE, str(length)), length)
        for length in (0, 104861, 524288, origins.LARGE - 1, 2 * origins.LARGE, 10486000):
            self.assertFalse(re.search(origins.WHOLE, str(length)), length)


class Results(unittest.TestCase):
    scenario = scenarios.named("keepalive")

    def measure(self, text=GOOD, arrived=6570, scenario=scenario, slack=164, said=None):
        used = accounting.Usage(run_ns=657_030_000, wait_ns=300_000_000, user_ticks=30, system_ticks=70)
        return comparison.measurement(said or wrk.parse(text), used, 3.0, 2048, arrived, scenario, slack)

    def test_cpu_a_request(self):
        result = self.measure()
        self.assertAlmostEqual(result.cpu_us, 10.0)
        self.assertAlmostEqual(result.user_us, 3.0)
        self.assertAlmostEqual(result.system_us, 7.0)
        self.assertAlmostEqual(result.waited, 0.1)
        self.assertEqual((result.resident_mib, result.problem), (2.0, ""))

    def test_errors_a_wrong_split_and_short_answers_are_problems(self):
        self.assertIn("timeout 4", self.measure(BAD).problem)
        self.assertIn("arrived at new", self.measure(arrived=20000).problem)
        self.assertEqual(self.measure(arrived=20000, slack=None).problem, "")
        self.assertIn("bytes instead of", self.measure(GOOD.replace("74.56MB", "10.00MB")).problem)

    def test_an_upload_counts_twice_at_an_origin(self):
        result = self.measure(arrived=13140, scenario=scenarios.named("upload"))
        self.assertAlmostEqual(result.share_of_new, 0.1, 4)
        self.assertEqual(result.problem, "")

    def test_ratios_are_taken_round_by_round(self):
        class One:
            def __init__(self, cpu_us):
                self.cpu_us = cpu_us
        value = figures.ratio([One(1), One(10), One(3)], [One(2), One(10), One(4)], "cpu_us")
        self.assertEqual((value.median, value.low, value.high), (0.75, 0.5, 1.0))
        self.assertIsNone(figures.figure([1.0, None]))

    def test_a_table_has_a_row_for_each_and_no_blanks_at_the_end(self):
        text = table.aligned([("", "a"), ("tidegate", "1"), ("nginx", "100")])
        self.assertEqual(text.splitlines(), ["            a", "tidegate    1", "nginx     100"])


STRACE = """% time     seconds  usecs/call     calls    errors syscall
------ ----------- ----------- --------- --------- ----------------
 61.20    0.500000           2    200000        10 recvfrom
 38.80    0.300000           3    100000           sendto
------ ----------- ----------- --------- --------- ----------------
100.00    0.800000                300000        10 total
"""


class Syscalls(unittest.TestCase):
    def test_calls_by_name_with_and_without_errors_and_not_the_total(self):
        self.assertEqual(syscalls.parse(STRACE), {"recvfrom": 200000, "sendto": 100000})
        self.assertEqual(syscalls.parse(""), {})

    def test_calls_are_divided_by_requests_the_most_frequent_first(self):
        counts = {"tidegate": (50000, syscalls.parse(STRACE)), "floor": (50000, {"sendto": 100000, "rare": 1})}
        lines = syscalls.text(scenarios.named("keepalive"), 64, counts).splitlines()[2:]
        self.assertEqual([line.split() for line in lines],
                         [["tidegate", "floor"], ["recvfrom", "4.00", "-"], ["sendto", "2.00", "2.00"],
                          ["all", "6.00", "2.00"], ["requests", "50,000", "50,000"]])


class IdleConnections(unittest.TestCase):
    def test_as_many_as_files_allow(self):
        self.assertEqual(idle.possible(10000, 1 << 20), 10000)
        self.assertEqual(idle.possible(10000, 20000), 9700)
        self.assertEqual(idle.possible(10000, 100), 1)

    def test_memory_is_what_was_added_divided(self):
        result = idle.measurement(1000, 0, 10240, 18432)
        self.assertEqual((result.kib_each, result.before_mib, result.after_mib, result.problem), (8.192, 10, 18, ""))
        self.assertIn("errors: 2 of 1000", idle.measurement(1000, 2, 0, 0).problem)


class Picture(unittest.TestCase):
    def run_of(self, name, peer_names):
        one = comparison.Comparison.__new__(comparison.Comparison)
        one.scenario, one.connections = scenarios.named(name), 64
        one.rounds = {label: [Results().measure(), Results().measure()] for label in peer_names}
        return {"versions": {"tidegate": "1"}, "cores": 2, "seconds": 1, "scenarios": [results.scenario(one)]}

    def test_every_proxy_has_a_bar_and_the_text_is_escaped(self):
        run = self.run_of("keepalive", ("tidegate", "a<b"))
        root = xml.etree.ElementTree.fromstring(picture.svg(run))
        kinds = [element.tag.split("}")[1] for element in root]
        self.assertEqual(kinds.count("rect"), 2)
        self.assertIn("a<b", [element.text for element in root])

    def test_every_heading_fits(self):
        for scenario in scenarios.SCENARIOS:
            entry = {"title": scenario.title, "connections": scenario.connections or 64}
            text = picture.heading(entry, f" ({picture.UNITS['kib_each'][0]})" if scenario.idle else "")
            self.assertLess(len(text) * 6.5, picture.WIDTH - picture.LABEL, text)  # pixels of a letter at 12

    def test_runs_merge_and_the_later_one_of_a_scenario_counts(self):
        with tempfile.TemporaryDirectory() as directory:
            paths = [os.path.join(directory, str(n)) for n in range(3)]
            for path, name, label in zip(paths, ("keepalive", "large", "keepalive"), ("nginx", "nginx", "tidegate")):
                results.write(path, self.run_of(name, (label,)))
            merged = results.merge(paths)
        self.assertEqual([(entry["name"], list(entry["rounds"])) for entry in merged["scenarios"]],
                         [("keepalive", ["tidegate"]), ("large", ["nginx"])])


class Scenarios(unittest.TestCase):
    def test_names_are_unique_and_all_peers_exist(self):
        names = [scenario.name for scenario in scenarios.SCENARIOS]
        self.assertEqual(len(names), len(set(names)))
        for scenario in scenarios.SCENARIOS:
            self.assertLessEqual(set(scenario.peers), set(peers.NAMES))
            self.assertIn("tidegate", scenario.peers)
            self.assertTrue(not scenario.baseline_peers or scenarios.named(scenario.baseline))

    def test_those_without_an_option_are_the_default_and_strace_wants_one(self):
        self.assertEqual([scenario.name for scenario in session.chosen(None)], ["keepalive", "mirror", "connection"])
        self.assertEqual([scenario.name for scenario in session.chosen(None, only_keepalive=True)], ["keepalive"])
        self.assertEqual(session.chosen(["large", "all"]), scenarios.SCENARIOS)

    def test_the_request_asks_for_the_last_of_many_routes(self):
        hosts, prefixes = scenarios.named("hosts"), scenarios.named("prefixes")
        self.assertEqual((len(hosts.hosts()), len(hosts.prefixes()), len(prefixes.prefixes())), (1000, 0, 1000))
        self.assertEqual(hosts.headers, (f"Host: {hosts.hosts()[-1]}",))
        self.assertTrue(prefixes.path.startswith(prefixes.prefixes()[-1] + "/"))

    def test_every_peer_knows_every_route(self):
        for name, part in (("hosts", "h999.example.com"), ("prefixes", "/p999")):
            scenario = scenarios.named(name)
            with tempfile.TemporaryDirectory() as home:
                haproxy.HAProxy().configuration(scenario, home, 1, 2, 3)
                with open(os.path.join(home, "routes.map"), encoding="ascii") as table_of_routes:
                    self.assertIn(f"{part} both", table_of_routes.read())
            self.assertIn(part, tidegate.Tidegate().configuration(scenario, "/", 2, 3))
            self.assertIn(part, nginx.Nginx().configuration(scenario, "/", 1, 2, 3))

    def test_every_peer_is_set_up_for_the_protocols_of_both_legs(self):
        texts = {}
        for name in ("keepalive", "tls", "h2", "h2_h2", "grpc"):
            scenario = scenarios.named(name)
            others = (haproxy.HAProxy(), nginx.Nginx(), nghttpx.Nghttpx())
            texts[name] = [peer.configuration(scenario, "/h", 1, 2, 3) for peer in others]
            texts[name].append(tidegate.Tidegate().configuration(scenario, "/h", 2, 3))
        for text in texts["tls"]:
            self.assertIn("/h/", text)
            self.assertIn("1.3", text)
        for text in texts["tls"][:3]:  # Tidegate prefers it by itself, which proof.py sees
            self.assertIn(certificate.SUITE, text)
        down = ("127.0.0.1:1 proto h2", "127.0.0.1:1 http2", ",1;no-tls", "h2c: true")
        up = ("weight 10 proto h2", "grpc_pass grpc://both", "proto=h2", "protocol: http2")
        for number in range(4):
            for name in ("h2", "h2_h2", "grpc"):
                self.assertIn(down[number], texts[name][number])
            self.assertIn(up[number], texts["grpc"][number])
            self.assertNotIn(up[number], texts["h2"][number])
            self.assertNotIn("h2c", texts["keepalive"][number])

    def test_the_certificate_is_the_same_for_all(self):
        with tempfile.TemporaryDirectory() as directory:
            homes = [os.path.join(directory, name) for name in ("a", "b")]
            for home in homes:
                os.mkdir(home)
                certificate.place(directory, home)
            both = []
            for home in homes:
                with open(os.path.join(home, certificate.BOTH), encoding="ascii") as file:
                    both.append(file.read())
        self.assertEqual(both[0], both[1])
        self.assertIn("PRIVATE KEY", both[0])

    def test_envoy_mirrors_and_splits(self):
        mirror = json.loads(envoy.Envoy().configuration(scenarios.named("mirror"), 1, 2, 3))
        text = json.dumps(mirror)
        self.assertIn('"request_mirror_policies": [{"cluster": "new"', text)
        self.assertNotIn("request_mirror", envoy.Envoy().configuration(scenarios.named("keepalive"), 1, 2, 3))


def run():
    cases = (WrkReport, H2loadReport, HandshakesReport, Accounting, Results, Syscalls, IdleConnections, Picture, Scenarios)
    suite = unittest.TestSuite(unittest.defaultTestLoader.loadTestsFromTestCase(case) for case in cases)
    return 0 if unittest.TextTestRunner(verbosity=1).run(suite).wasSuccessful() else 1
