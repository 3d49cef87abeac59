"""The fault matrix: for each thing that an upstream can do wrong, what the client sees, what is counted and what is retried. The table is
also tests/FAULTS.md, word for word. Issue 6, RELIABILITY.md O4 to O11, T10 and T11."""
import os

import pytest

from harness.fault_matrix import Bench, Row, table
from harness.faults import HTTP1
from harness.faults_http2 import HTTP2
from harness.tidegate import ROOT

pytestmark = pytest.mark.one_worker

# What most faults come to. GET and POST are the same unless there is a slash.
UNCONNECTED = Row("502", "502", "connect", "1 of 1", "old: 200")
BROKE = Row("502", "502", "reset", "1 of 1", "old: 200 / not")
MALFORMED = Row("502", "502", "protocol", "1 of 1", "not")
LATE = Row("504", "504", "timeout", "1 of 1", "not")
CUT = Row("200, cut", "200, cut", "reset", "1 of 1", "not")
CUT_MALFORMED = CUT._replace(reason="protocol")
CUT_LATE = CUT._replace(reason="timeout")
WELL = Row("200", "200", "-", "0 of 1", "not")
EARLY = Row("403", "403", "-", "0 of 1", "not")

EXPECTED = {
    "refuses": UNCONNECTED,
    "drops every SYN": UNCONNECTED,
    "never accepts": LATE,
    "says nothing": LATE,
    "closes at once": BROKE,
    "resets at the request's first byte": BROKE,
    "closes before the head": BROKE,
    "resets before the head": BROKE,
    "closes in the head": BROKE,
    "resets in the head": BROKE,
    "stops in the head": LATE,
    "head trickles past its time": LATE,
    "head and body trickle in time": WELL,
    "closes in a counted body": CUT,
    "resets in a counted body": CUT,
    "stops in a counted body": CUT_LATE,
    "closes in a chunk": CUT,
    "resets in a chunk": CUT,
    "closes between chunks": CUT,
    "stops between chunks": CUT_LATE,
    "closes in the trailers": CUT,
    "bad chunk size": CUT_MALFORMED,
    "chunk size beyond 64 bits": CUT_MALFORMED,
    "chunk without its CRLF": CUT_MALFORMED,
    "resets a body that ends with the connection": CUT,
    "closes a body that ends with the connection": WELL,
    "more body than Content-Length": WELL,
    "two responses to one request": WELL,
    "two Content-Lengths": MALFORMED,
    "Content-Length and chunked": MALFORMED,
    "chunked below another coding": MALFORMED,
    "garbage": MALFORMED,
    "TLS alert": BROKE,
    "SETTINGS of HTTP/2": BROKE,
    "too long a head": MALFORMED,
    "too many fields": MALFORMED,
    "endless head": MALFORMED,
    "16 times 103, then 200": WELL,
    "1xx storm": MALFORMED,
    "1xx and nothing more": LATE,
    "101 unasked": MALFORMED,
    "answers early and reads no more": EARLY,
    "answers early and closes": EARLY,
    "answers 404": Row("404", "404", "-", "0 of 1", "not"),
    "answers 500": Row("500", "500", "status", "1 of 1", "not"),
    "answers 503": Row("503", "503", "status", "1 of 1", "not"),
    "closes after each answer, unannounced": WELL,
    "h2: says nothing, not even SETTINGS": LATE,
    "h2: SETTINGS and nothing more": LATE,
    "h2: answers without SETTINGS": BROKE,
    "h2: speaks HTTP/1.1": BROKE,
    "h2: garbage": BROKE,
    "h2: closes before the head": BROKE,
    "h2: resets before the head": BROKE,
    "h2: window 0 for ever": Row("200", "504", "- / timeout", "0 of 1 / 1 of 1", "not"),
    "h2: window beyond 2^31": BROKE,
    "h2: frame too large": CUT,
    "h2: GOAWAY that excludes the request": BROKE,
    "h2: GOAWAY that excludes it, once": WELL,
    "h2: GOAWAY that includes it, then the answer": WELL,
    "h2: GOAWAY that includes it, then the end": BROKE,
    "h2: GOAWAY with an error": BROKE,
    "h2: RST_STREAM REFUSED_STREAM": BROKE,
    "h2: RST_STREAM REFUSED_STREAM, once": WELL,
    "h2: RST_STREAM NO_ERROR": BROKE,
    "h2: RST_STREAM PROTOCOL_ERROR": BROKE,
    "h2: RST_STREAM INTERNAL_ERROR": BROKE,
    "h2: RST_STREAM CANCEL": BROKE,
    "h2: RST_STREAM ENHANCE_YOUR_CALM": BROKE,
    "h2: RST_STREAM HTTP_1_1_REQUIRED": BROKE,
    "h2: RST_STREAM in the body": CUT,
    "h2: REFUSED_STREAM in the body": CUT,
    "h2: closes in the body": CUT,
    "h2: resets in the body": CUT,
    "h2: stops in the body": CUT_LATE,
    "h2: a byte a frame": WELL,
    "h2: less DATA than content-length": CUT,
    "h2: more DATA than content-length": CUT,
    "h2: DATA before the head": BROKE,
    "h2: DATA after END_STREAM": WELL,
    "h2: trailers without an end": CUT,
    "h2: no :status": BROKE,
    "h2: :status 099": BROKE,
    "h2: field name in capitals": BROKE,
    "h2: Connection in the head": BROKE,
    "h2: CR LF in a value": BROKE,
    "h2: two content-lengths": BROKE,
    "h2: a head that HPACK cannot read": BROKE,
    "h2: too long a head": BROKE,
    "h2: too many fields": BROKE,
    "h2: endless CONTINUATION": BROKE,
    "h2: PUSH_PROMISE": BROKE,
    "h2: 16 times 103, then 200": WELL,
    "h2: 1xx storm": BROKE,
    "h2: 101": BROKE,
    "h2: 1xx that ends the stream": BROKE,
    "h2: answers early, RST_STREAM NO_ERROR": EARLY,
    "h2: PING flood": BROKE,
    "h2: SETTINGS flood": BROKE,
    "h2: empty DATA flood": CUT,
}
FAULTS = {**HTTP1, **HTTP2}


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_of_an_upstream_comes_to_what_the_table_says(lab, name):
    row = Bench(lab, FAULTS[name]).row()
    print(table({name: row}))
    assert row == EXPECTED[name]


def test_the_table_in_tests_faults_md_is_this_one():
    """When it is not, the right one is in the failure's output."""
    assert list(EXPECTED) == list(FAULTS)
    wanted = table(EXPECTED)
    print(wanted)
    with open(os.path.join(ROOT, "tests", "FAULTS.md"), encoding="utf-8") as file:
        assert wanted in file.read(), "tests/FAULTS.md has another table"
