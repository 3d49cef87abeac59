"""Tests of what the bench computes: `bench/run --self-test`. The texts are reports of the real tools."""

import os
import time
import unittest

import accounting
import comparison
import figures
import origins
import peers
import scenarios
import table
import wrk

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
"""
TROUBLE = "  Socket errors: connect 1, read 2, write 3, timeout 4\n  Non-2xx or 3xx responses: 5\n"
BAD = GOOD.replace("Requests/sec", TROUBLE + "Requests/sec")


class WrkReport(unittest.TestCase):
    def test_a_good_report(self):
        report = wrk.parse(GOOD)
        self.assertEqual((report.requests, report.seconds, report.requests_per_second), (65703, 3.0, 21892.31))
        self.assertAlmostEqual(report.p50_ms, 2.77)
        self.assertAlmostEqual(report.p99_ms, 0.95)
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
        with self.assertRaises(wrk.NotAReport):
            wrk.parse("unable to connect to 127.0.0.1:1 Connection refused\n")


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


class Results(unittest.TestCase):
    scenario = scenarios.named("keepalive")

    def measure(self, report=GOOD, arrived=6570, scenario=scenario):
        used = accounting.Usage(run_ns=657_030_000, wait_ns=300_000_000, user_ticks=30, system_ticks=70)
        return comparison.measurement(wrk.parse(report), used, 3.0, 2048, arrived, scenario)

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
        self.assertIn("bytes instead of", self.measure(GOOD.replace("74.56MB", "10.00MB")).problem)

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


class Scenarios(unittest.TestCase):
    def test_names_are_unique_and_all_peers_exist(self):
        names = [scenario.name for scenario in scenarios.SCENARIOS]
        self.assertEqual(len(names), len(set(names)))
        known = {peers.Tidegate.name, peers.HAProxy.name, peers.Nginx.name}
        for scenario in scenarios.SCENARIOS:
            self.assertLessEqual(set(scenario.peers), known)
            self.assertIn("tidegate", scenario.peers)


def run():
    suite = unittest.TestSuite(unittest.defaultTestLoader.loadTestsFromTestCase(case)
                               for case in (WrkReport, Accounting, Results, Scenarios))
    return 0 if unittest.TextTestRunner(verbosity=1).run(suite).wasSuccessful() else 1
