// What single sections take and refuse, beyond the scalars and the samples.
#include "config/load_fixture.h"

namespace tidegate::config {
namespace {

TEST(Names, AreWhatLabelsAndUrlsCanHold) {
  for (const char* name : {"a", "api.v1", "A_b-3", "10"}) {
    EXPECT_TRUE(load(std::string(kListeners) + std::string(kClusters) + "routes: [{name: '" + name + "'}]\n").config)
        << name;
  }
  for (const std::string& name : std::vector<std::string>{"", "a b", "a/b", "..", "a\"b", "\xC3\xBC", std::string(65,
      'a')}) {
    EXPECT_TRUE(contains(bad(std::string(kListeners) + std::string(kClusters) + "routes: [{name: '" + name + "'}]\n"),
                         "t.yaml:3:17: routes[0].name: "))
        << name;
  }
  EXPECT_TRUE(contains(bad(std::string(kListeners) + "clusters: {'a b': {endpoints: ['a:1']}}\n"
      + std::string(kRoutes)),
                       "t.yaml:2:12: clusters.\"a b\": \"a b\" is not a name"));
}

TEST(Limits, ASmallHeadLowersTheTargetToo) {
  const Config config = good(with_listener("limits: {header_bytes: 4KiB}"));
  EXPECT_EQ(config.listeners[0].session.head.uri_bytes, 4096u);
  EXPECT_TRUE(contains(bad(with_listener("limits: {header_bytes: 4KiB, uri_bytes: 8KiB}")),
                       "uri_bytes is larger than header_bytes"));
}

TEST(Cluster, EndpointsAreListedOnce) {
  EXPECT_TRUE(contains(bad(with_new_cluster("endpoints: ['lb:80', 'LB:80']")),
                       "clusters.new.endpoints[1]: \"LB:80\" is listed twice"));
}

TEST(Cluster, SlowStartIsADurationAndOff) {
  EXPECT_EQ(good(with_new_cluster("endpoints: ['a:1']")).clusters[1].slow_start, Duration::zero());
  EXPECT_EQ(good(with_new_cluster("endpoints: ['a:1'], slow_start: 30s")).clusters[1].slow_start, std::chrono::seconds(30));
  EXPECT_TRUE(contains(bad(with_new_cluster("endpoints: ['a:1'], slow_start: 2h")), "clusters.new.slow_start: "));
}

TEST(Dns, IsTheSystemsWithTwoSeconds) {
  const Config config = good(with(""));
  EXPECT_TRUE(config.dns.servers.empty());
  EXPECT_EQ(config.dns.timeout, std::chrono::seconds(2));
}

TEST(Dns, ServersAreLiteralsWithPort53UnlessTheySayOtherwise) {
  const Config config = good(with("dns: {servers: [10.0.0.2, '10.0.0.2:5353', '2001:db8::1', '[2001:db8::1]:5353'], timeout: 250ms}\n"));
  EXPECT_EQ(config.dns.servers,
            (std::vector<std::string>{"10.0.0.2:53", "10.0.0.2:5353", "[2001:db8::1]:53", "[2001:db8::1]:5353"}));
  EXPECT_EQ(config.dns.timeout, std::chrono::milliseconds(250));
}

TEST(Dns, WhatIsNoServerIsRefused) {
  for (const char* server : {"ns.example.com", "'10.0.0.2:0'", "'10.0.0.2:99999'", "'[10.0.0.2]:53'", "'2001:db8::1:53:99999'", "unix:/run/a.sock", "''",
                             "'10.0.0.2,10.0.0.3'"}) {
    EXPECT_TRUE(contains(bad(with("dns: {servers: [" + std::string(server) + "]}\n")), "dns.servers[0]: ")) << server;
  }
  EXPECT_TRUE(contains(bad(with("dns: {servers: [10.0.0.2, '10.0.0.2:53']}\n")), "dns.servers[1]: \"10.0.0.2:53\" is listed twice"));
  EXPECT_TRUE(contains(bad(with("dns: {servers: []}\n")), "dns.servers: "));
  EXPECT_TRUE(contains(bad(with("dns: {timeout: 0s}\n")), "dns.timeout: "));
  EXPECT_TRUE(contains(bad(with("dns: {server: [10.0.0.2]}\n")), "servers"));
  std::string nine;
  for (int i = 1; i <= 9; ++i) nine += (i > 1 ? ", 10.0.0." : "10.0.0.") + std::to_string(i);
  EXPECT_TRUE(contains(bad(with("dns: {servers: [" + nine + "]}\n")), "dns.servers[8]: there are more than 8 servers"));
}

TEST(Cluster, HostIsPreservedOrALiteral) {
  EXPECT_FALSE(good(with_new_cluster("endpoints: ['a:1'], host: preserve")).clusters[1].host.has_value());
  for (const char* host : {"api.example.com", "api.example.com:8443", "10.0.0.1", "'[::1]'", "'[::1]:80'"}) {
    EXPECT_TRUE(good(with_new_cluster("endpoints: ['a:1'], host: " + std::string(host))).clusters[1].host.has_value())
        << host;
  }
  for (const char* host : {"'a b'", "'a\\r\\nb'", "http://a", "'a/b'", "\"a\\r\\nb: c\"", "''"}) {
    EXPECT_TRUE(contains(bad(with_new_cluster("endpoints: ['a:1'], host: " + std::string(host))),
                         "clusters.new.host: "))
        << host;
  }
}

TEST(Match, HostsAreLowerCaseWithoutPort) {
  EXPECT_EQ(good(with_route("match: {hosts: [API.Example.com]}")).routes[0].policy.match.hosts.at(0),
            "api.example.com");
  for (const char* host : {"'*'", "'a:80'", "'a.*.b'", "'*a'", "'a b'", "'*.'", "'a.'"}) {
    EXPECT_TRUE(contains(bad(with_route("match: {hosts: [" + std::string(host) + "]}")), "routes[0].match.hosts[0]: "))
        << host;
  }
}

TEST(Match, APathIsExactOrAPrefix) {
  EXPECT_TRUE(contains(bad(with_route("match: {path: {exact: /a, prefix: /b}}")),
                       "routes[0].match.path.prefix: only one of the conditions may be given"));
  EXPECT_TRUE(contains(bad(with_route("match: {path: {}}")), "routes[0].match.path: expects exact or prefix"));
  EXPECT_TRUE(contains(bad(with_route("match: {path: /api}")), "routes[0].match.path: expects keys"));
  for (const char* path : {"api", "'/a b'", "'/a?b'", "'/a#b'", "''", "\"/a\\n\""}) {
    EXPECT_TRUE(contains(bad(with_route("match: {path: {prefix: " + std::string(path) + "}}")), "is not a path"))
        << path;
  }
}

TEST(Match, AHeaderHasOneCondition) {
  const Config config = good(with_route("match: {headers: {X-A: {exact: ''}, x-b: {present: true}}}"));
  EXPECT_EQ(config.routes[0].policy.match.headers.at(0).name, "x-a");
  EXPECT_TRUE(contains(bad(with_route("match: {headers: {x-a: {}}}")),
                       "headers.x-a: expects exact, prefix or present"));
  EXPECT_TRUE(contains(bad(with_route("match: {headers: {x-a: {exact: a, present: true}}}")),
                       "only one of the conditions"));
  EXPECT_TRUE(contains(bad(with_route("match: {headers: {x-a: {present: false}}}")),
                       "only present: true can be asked for"));
  EXPECT_TRUE(contains(bad(with_route("match: {headers: {x-a: {exact: a}, X-A: {exact: b}}}")), "named twice"));
  EXPECT_TRUE(contains(bad(with_route("match: {headers: {'x a': {exact: a}}}")), "is not the name of a header"));
}

TEST(Match, MethodsAreTokensAndTheirCaseCounts) {
  EXPECT_TRUE(contains(bad(with_route("match: {methods: ['GE T']}")), "\"GE T\" is not a method"));
  EXPECT_TRUE(contains(bad(with_route("match: {methods: [" + std::string(33, 'A') + "]}")), "is not a method"));
  EXPECT_EQ(warned(with_route("match: {methods: [PROPFIND, get]}")),
            "t.yaml:3:50: warning: routes[0].match.methods[1]: \"get\" is not GET: the case of a method counts\n");
}

TEST(Retry, ItsListReplacesTheDefault) {
  const Config config = good(with_route(
      "retry: {on: [timeout, 503], methods: idempotent, retries: 3, budget: 50%, other_side: false, per_try_timeout: 2s, "
      "buffer: 1KiB}"));
  const route::RetryPolicy& retry = config.routes[0].policy.retry;
  EXPECT_FALSE(retry.on_connect || retry.on_reset || retry.other_side);
  EXPECT_TRUE(retry.on_timeout);
  EXPECT_EQ(retry.on_statuses, std::vector<std::uint16_t>{503});
  EXPECT_EQ(retry.methods, route::RetryPolicy::Methods::Idempotent);
  EXPECT_EQ(retry.per_try_timeout, std::chrono::seconds(2));
  EXPECT_EQ(retry.buffer, 1024u);
  EXPECT_TRUE(contains(bad(with_route("retry: {on: [500]}")),
                       "\"500\" is not one of connect, reset, timeout, 502, 503, 504"));
  EXPECT_TRUE(contains(bad(with_route("retry: {on: [conect]}")), "did you mean \"connect\"?"));
  EXPECT_TRUE(contains(bad(with_route("retry: {retries: 4}")), "\"4\" is out of range 0..3"));
}

TEST(Retry, TheMostOfABackoffIsTenTimesItsBaseUnlessItIsGiven) {
  const auto backoff = [](const std::string& keys) {
    return good(with_route("retry: {backoff: {" + keys + "}}")).routes[0].policy.retry.backoff;
  };
  using std::chrono::milliseconds;
  EXPECT_EQ(backoff("base: 10ms").most, milliseconds(100));
  EXPECT_EQ(backoff("max: 50ms").base, milliseconds(25));
  EXPECT_EQ(backoff("base: 0s").most, milliseconds(0));
  EXPECT_TRUE(contains(bad(with_route("retry: {backoff: {base: 1s, max: 50ms}}")), "routes[0].retry.backoff: base is longer than max"));
}

TEST(Hedge, IsOffUnlessItIsAskedForAndWaitsForThePercentileOrATime) {
  const auto hedge = [](const std::string& keys) { return good(with_route(keys)).routes[0].policy.hedge; };
  EXPECT_FALSE(hedge("weight: 1").has_value());
  EXPECT_EQ(hedge("hedge: {}")->after, Duration::zero());
  EXPECT_EQ(hedge("hedge: {after: p95, methods: safe}")->after, Duration::zero());
  EXPECT_EQ(hedge("hedge: {after: 200ms}")->after, std::chrono::milliseconds(200));
  EXPECT_TRUE(contains(bad(with_route("hedge: {after: p99}")), "routes[0].hedge.after: "));
  EXPECT_TRUE(contains(bad(with_route("hedge: {after: 0s}")), "out of range 1ms..1m"));
  EXPECT_TRUE(contains(bad(with_route("hedge: {methods: idempotent}")), "\"idempotent\" is not one of safe"));
}

TEST(RequestHeaders, ValuesCannotSmuggleALine) {
  for (const char* value : {"\"a\\r\\nx: y\"", "\"a\\rb\"", "\"a\\nb\"", "\"a\\0b\"", "|\n        a\n        b"}) {
    const std::string text = std::string(kListeners) + std::string(kClusters) +
                             "routes:\n  - name: all\n    request_headers: \n     set:\n      x-a: " + value + "\n";
    EXPECT_TRUE(contains(bad(text), "routes[0].request_headers.set.x-a: a header's value cannot hold CR, LF or NUL"))
        << value;
  }
  EXPECT_TRUE(contains(bad(with_route("request_headers: {set: {x-a: \"${V}\"}}"), {{"V", "a\r\nx: y"}}),
                       "CR, LF or NUL"));
  EXPECT_TRUE(contains(bad(with_route("request_headers: {set: {x-a: ' a'}}")), "blanks at its ends"));
}

TEST(RequestHeaders, AValueFromTheEnvironmentIsNeverShown) {
  const std::string problems = bad(with_route("request_headers: {set: {x-a: \"${SECRET}\"}}"), {{"SECRET",
      "hunter2\n"}});
  EXPECT_EQ(problems.find("hunter2"), std::string::npos) << problems;
}

TEST(RequestHeaders, FramingHopByHopAndOurOwnAreLeftAlone) {
  for (const std::string name : {"Content-Length", "transfer-encoding", "Connection", "Host", "TE", "upgrade",
      "keep-alive",
                                 "trailer", "proxy-connection", "X-Tidegate-Side", "a b", "a:b"}) {
    EXPECT_TRUE(contains(bad(with_route("request_headers: {set: {'" + name + "': x}}")),
                         "routes[0].request_headers.set."))
        << name;
    EXPECT_TRUE(contains(bad(with_route("request_headers: {remove: ['" + name + "']}")),
                         "routes[0].request_headers.remove[0]: "))
        << name;
  }
}

TEST(RequestHeaders, AHeaderIsEditedOnce) {
  EXPECT_TRUE(contains(bad(with_route("request_headers: {set: {x-a: 1, X-A: 2}}")), "set twice"));
  EXPECT_TRUE(contains(bad(with_route("request_headers: {set: {x-a: 1}, remove: [X-A]}")), "both set and removed"));
  EXPECT_TRUE(contains(bad(with_route("request_headers: {remove: [X-A], set: {x-a: 1}}")), "both set and removed"));
}

TEST(Mirror, TheHostIsKeptSuffixedOrReplaced) {
  const auto host = [](const std::string& value) { return good(with_route("mirror: {host: " + value
      + "}")).routes[0].policy.mirror->host; };
  EXPECT_EQ(host("preserve").kind, route::MirrorHost::Kind::Preserve);
  EXPECT_EQ(host("-shadow").kind, route::MirrorHost::Kind::Suffix);
  EXPECT_EQ(host("shadow.example.com").kind, route::MirrorHost::Kind::Literal);
  for (const char* value : {"'-'", "'-a b'", "'a b'", "\"-a\\r\\nb\""}) {
    EXPECT_TRUE(contains(bad(with_route("mirror: {host: " + std::string(value) + "}")), "routes[0].mirror.host: "))
        << value;
  }
}

TEST(Mirror, HasNamedCaps) {
  EXPECT_TRUE(contains(bad(with_route("mirror: {rate: 500}")), "\"500\" has no unit; write 500/s"));
  EXPECT_TRUE(contains(bad(with_route("mirror: {rate: 0/s}")), "out of range 0.01/s..1000000/s"));
  EXPECT_EQ(good(with_route("mirror: {percent: 0}")).routes[0].policy.mirror->percent, Weight::none());
}

TEST(Gate, TheMarginFollowsTheErrorRateUnlessItIsGiven) {
  const auto margin = [](const std::string& keys) { return good(with_route("gate: {" + keys
      + "}")).routes[0].gate.comparison_margin; };
  EXPECT_DOUBLE_EQ(margin("max_error_rate: 4%"), 0.02);
  EXPECT_DOUBLE_EQ(margin("comparison_margin: 1%, max_error_rate: 4%"), 0.01);
}

TEST(Gate, ItsErrorListReplacesTheDefault) {
  const Config config = good(with_route("gate: {errors: [connect], breaker: {requests: 10, for: 0s}}"));
  EXPECT_TRUE(config.routes[0].errors.connect);
  EXPECT_FALSE(config.routes[0].errors.server_errors || config.routes[0].errors.timeout
      || config.routes[0].errors.reset);
  EXPECT_EQ(config.routes[0].gate.breaker.requests, 10u);
  EXPECT_EQ(config.routes[0].gate.breaker.for_s, 0);
  EXPECT_TRUE(contains(bad(with_route("gate: {max_error_rate: 30%}")), "\"30%\" is out of range 0.01%..25%"));
}

TEST(Gate, SlowAnswersAreAStreamOfTheirOwnWhenTheyAreAskedFor) {
  EXPECT_FALSE(good(with_route("gate: {}")).routes[0].slow);
  const gate::SlowRule defaults = *good(with_route("gate: {slow: {}}")).routes[0].slow;
  EXPECT_DOUBLE_EQ(defaults.over_s, 0.5);
  EXPECT_DOUBLE_EQ(defaults.max_rate, 0.05);
  EXPECT_DOUBLE_EQ(defaults.margin, 0.02);
  const gate::SlowRule given = *good(with_route("gate: {slow: {over: 300ms, max_rate: 1%}}")).routes[0].slow;
  EXPECT_DOUBLE_EQ(given.over_s, 0.3);
  EXPECT_DOUBLE_EQ(given.margin, 0.004) << "two fifths of the rate";
  EXPECT_TRUE(contains(bad(with_route("gate: {slow: {over: 5ms}}")), "out of range 10ms..5m"));
  EXPECT_TRUE(contains(bad(with_route("gate: {slow: {after: 1s}}")), "routes[0].gate.slow"));
}

TEST(Gate, WhatAnAlarmDoesIsAWord) {
  const auto on_fail = [](const char* keys) { return good(with_route(keys)).routes[0].on_fail; };
  EXPECT_EQ(on_fail("gate: {}"), gate::OnFail::Revert);
  EXPECT_EQ(on_fail("gate: {on_fail: revert}"), gate::OnFail::Revert);
  EXPECT_EQ(on_fail("gate: {on_fail: pause}"), gate::OnFail::Pause);
  EXPECT_EQ(on_fail("gate: {on_fail: notify}"), gate::OnFail::Notify);
  EXPECT_TRUE(contains(bad(with_route("gate: {on_fail: ignore}")), "is not one of revert, pause, notify"));
}

TEST(Gate, ASlownessThatIsATimeoutBeforeIsWarnedAbout) {
  EXPECT_TRUE(contains(warned(with_route("gate: {slow: {over: 30s}}")),
                       "routes[0].gate.slow.over: nothing will ever be this slow: the response_header timeout"));
  EXPECT_EQ(warned(with_route("gate: {slow: {over: 29s}}")), "");
}

TEST(Clients, AreLimitedAsTheFileSays) {
  const Config config = good(with_listener(
      "limits: {connections_per_client: 50, min_request_rate: 500, min_response_rate: 1KiB}, timeouts: {rate_grace: 20s}"));
  EXPECT_EQ(config.listeners[0].connections_per_client, 50u);
  EXPECT_EQ(config.listeners[0].session.min_request_rate, 500u);
  EXPECT_EQ(config.listeners[0].session.min_response_rate, 1024u);
  EXPECT_EQ(config.listeners[0].session.rate_grace, std::chrono::seconds(20));
}

TEST(Clients, AreSentAwayAfterSoManyRequestsOrSoLongWhereTheFileSaysSo) {
  EXPECT_EQ(good(with("")).listeners[0].session.requests_per_connection, 0u);
  EXPECT_EQ(good(with("")).listeners[0].session.max_connection_age, Duration::zero());
  const Config config = good(with_listener("limits: {requests_per_connection: 1000}, timeouts: {max_connection_age: 1h}"));
  EXPECT_EQ(config.listeners[0].session.requests_per_connection, 1000u);
  EXPECT_EQ(config.listeners[0].session.max_connection_age, std::chrono::hours(1));
}

TEST(Clients, NamesWithUnderscoresAreTakenAsTheFileSays) {
  const auto wanted = [](const std::string& word) {
    return good(with_listener("header_underscores: " + word)).listeners[0].session.head.underscores;
  };
  EXPECT_EQ(good(with("")).listeners[0].session.head.underscores, http::Underscores::Keep);
  EXPECT_EQ(wanted("keep"), http::Underscores::Keep);
  EXPECT_EQ(wanted("drop"), http::Underscores::Drop);
  EXPECT_EQ(wanted("reject"), http::Underscores::Reject);
  EXPECT_TRUE(contains(bad(with_listener("header_underscores: allow")), "is not one of keep, drop, reject"));
}

TEST(Path, OfAnEdgeIsReadAsItIsWritten) {
  const Config config = good(with_listener("path: {merge_slashes: true, dot_segments: remove, escaped_slashes: decode, unreserved: decode}"));
  const http::PathPolicy& path = config.listeners[0].session.path;
  EXPECT_EQ(path.dot_segments, http::DotSegments::Remove);
  EXPECT_EQ(path.escaped_slashes, http::EscapedSlashes::Decode);
  EXPECT_TRUE(path.merge_slashes && path.decode_unreserved);
  EXPECT_EQ(good(with_listener("path: {dot_segments: keep}")).listeners[0].session.path.dot_segments, http::DotSegments::Keep);
  EXPECT_TRUE(contains(bad(with_listener("path: {dot_segments: ignore}")), "is not one of keep, remove, reject"));
  EXPECT_TRUE(contains(bad(with_listener("path: {escaped_slashes: remove}")), "is not one of keep, reject, decode"));
}

TEST(ProxyProtocol, IsOffUnlessTheFileSaysOtherwise) {
  const Config config = good(with(""));
  EXPECT_FALSE(config.listeners[0].session.proxy_protocol);
  EXPECT_FALSE(config.clusters[0].proxy_protocol.has_value());
  EXPECT_FALSE(good(with_listener("proxy_protocol: off")).listeners[0].session.proxy_protocol);
  const std::string trusted = "trusted_proxies: [127.0.0.1]\n";
  EXPECT_TRUE(good(with_listener("proxy_protocol: accept") + trusted).listeners[0].session.proxy_protocol);
  const auto sent = [](const char* word) {
    return good(with_new_cluster("endpoints: ['a:1'], proxy_protocol: " + std::string(word))).clusters[1].proxy_protocol;
  };
  EXPECT_EQ(sent("off"), std::nullopt);
  EXPECT_EQ(sent("v1"), net::ProxyVersion::V1);
  EXPECT_EQ(sent("v2"), net::ProxyVersion::V2);
  EXPECT_TRUE(contains(bad(with_listener("proxy_protocol: v1") + trusted), "is not one of off, accept"));
  EXPECT_TRUE(contains(bad(with_new_cluster("endpoints: ['a:1'], proxy_protocol: accept")), "is not one of off, v1, v2"));
}

TEST(ProxyProtocol, SentOnConnectionsThatCarryManyClientsIsAnError) {
  EXPECT_TRUE(contains(bad(with_new_cluster("endpoints: ['a:1'], proxy_protocol: v1, protocol: http2")),
                       "clusters.new.proxy_protocol: a PROXY header names one client"));
  const Config config = good(with_new_cluster("endpoints: ['a:1'], proxy_protocol: v1, protocol: auto"));
  EXPECT_FALSE(config.clusters[1].may_carry_many());
  const auto offered = [](const std::string& more) {
    return good(with_new_cluster("endpoints: ['a:1'], protocol: auto, tls: {verify: false}" + more)).clusters[1].tls->alpn;
  };
  EXPECT_EQ(offered(""), (std::vector<std::string>{"h2", "http/1.1"}));
  EXPECT_EQ(offered(", proxy_protocol: v2"), (std::vector<std::string>{"http/1.1"}));
}

TEST(ProxyProtocol, AcceptedFromNobodyIsAnErrorThatSaysWhoIsMissing) {
  EXPECT_EQ(bad(with_listener("proxy_protocol: accept")),
            "t.yaml:1:54: listeners[0].proxy_protocol: accept needs trusted_proxies with the addresses of the senders: a PROXY "
            "header is only believed from them, and every other connection is closed\n");
  EXPECT_TRUE(contains(bad(with_listener("proxy_protocol: accept") + "trusted_proxies: [unix]\n"), "the addresses of the senders"));
  const std::string on_unix = "listeners: [{address: 'unix:/run/a.sock', proxy_protocol: accept}]\n" + std::string(kClusters) +
                              std::string(kRoutes);
  EXPECT_TRUE(contains(bad(on_unix + "trusted_proxies: [10.0.0.0/8]\n"), "accept needs trusted_proxies with \"unix\" in it"));
  EXPECT_TRUE(load(on_unix + "trusted_proxies: [10.0.0.0/8, unix]\n").config.has_value());
  const std::string twice = bad(with_listener("proxy_protocol: accept") + "trusted_proxies: [10.0.0.0/99]\n");
  EXPECT_FALSE(contains(twice, "accept needs")) << "one problem, not two";
}

TEST(UnixSockets, AreListenedOnAndConnectedTo) {
  const Config config = good("listeners: [{address: 'unix:/run//x/../a.sock', mode: '0660'}, {address: 'unix:@tidegate'}]\n"
                             "clusters: {old: {endpoints: ['unix:/run/old.sock', 'unix:@old']}, new: {endpoints: ['a:1']}}\n" +
                             std::string(kRoutes) + "trusted_proxies: [unix]\n");
  EXPECT_EQ(config.listeners[0].address.host, "unix:/run/a.sock");
  EXPECT_EQ(config.listeners[0].mode, 0660u);
  EXPECT_EQ(config.listeners[1].address.host, "unix:@tidegate");
  EXPECT_EQ(config.listeners[1].mode, std::nullopt);
  EXPECT_EQ(config.clusters[0].endpoints[0].host, "unix:/run/old.sock");
  EXPECT_EQ(config.clusters[0].endpoints[1].text, "unix:@old");
  EXPECT_EQ(config.clusters[0].endpoints[0].authority(), "localhost");
  EXPECT_EQ(config.clusters[1].endpoints[0].authority(), "a:1");
  EXPECT_EQ(config.trusted_proxies[0].address, kUnixSockets);
}

TEST(UnixSockets, AreNotForTheAdminAddressNorForAHost) {
  for (const char* keys : {"admin: {address: 'unix:/run/a.sock'}", "metrics: {address: 'unix:/run/a.sock'}"}) {
    EXPECT_TRUE(contains(bad(with(std::string(keys) + "\n")), "only listeners and endpoints may be unix-domain sockets")) << keys;
  }
  EXPECT_TRUE(contains(bad(with_new_cluster("endpoints: ['a:1'], host: 'unix:/run/a'")), "is neither preserve nor a host"));
}

TEST(UnixSockets, HaveAModeThatChmodWouldTake) {
  const auto mode = [](const std::string& text) {
    return "listeners: [{address: 'unix:/run/a.sock', mode: " + text + "}]\n" + std::string(kClusters) + std::string(kRoutes);
  };
  EXPECT_EQ(good(mode("'660'")).listeners[0].mode, 0660u);
  EXPECT_EQ(good(mode("0600")).listeners[0].mode, 0600u);
  EXPECT_EQ(good(mode("'0000'")).listeners[0].mode, 0u);
  for (const char* text : {"''", "'66'", "'0680'", "'1660'", "'00660'", "rw", "'u=rw'", "-660", "0x1b0"}) {
    EXPECT_TRUE(contains(bad(mode(text)), "mode")) << text;
  }
  EXPECT_TRUE(contains(bad(with_listener("mode: '0660'")), "only a unix-domain socket with a path has a file mode"));
  EXPECT_TRUE(contains(bad("listeners: [{address: 'unix:@a', mode: '0660'}]\n" + std::string(kClusters) + std::string(kRoutes)),
                       "only a unix-domain socket with a path has a file mode"));
}

// --- health and outliers

TEST(Health, HasDefaultsAndIsOffWithoutItsKey) {
  const Config off = good(with_new_cluster("endpoints: ['a:1']"));
  EXPECT_FALSE(off.clusters[1].health);
  EXPECT_FALSE(off.clusters[1].outlier);
  const Config on = good(with_new_cluster("endpoints: ['a:1'], health: {}, outlier: {}"));
  EXPECT_EQ(on.clusters[1].health->path, "/");
  EXPECT_EQ(on.clusters[1].health->interval, std::chrono::seconds(2));
  EXPECT_EQ(on.clusters[1].health->expect, std::vector<std::uint16_t>{200});
  EXPECT_EQ(on.clusters[1].outlier->consecutive_errors, 5u);
  EXPECT_EQ(on.clusters[1].outlier->max_ejected, 0.5);
}

TEST(Health, IsReadWhole) {
  const Config config = good(with_new_cluster(
      "endpoints: ['a:1'], panic_threshold: 30%, health: {path: /healthz, host: shop, interval: 1s, timeout: 500ms, healthy: 1, "
      "unhealthy: 5, expect: [200, 204]}, outlier: {consecutive_errors: 7, ejection: 5s, max_ejected: 20%}"));
  const upstream::HealthPolicy& health = *config.clusters[1].health;
  EXPECT_EQ(health.path, "/healthz");
  EXPECT_EQ(health.host, "shop");
  EXPECT_EQ(health.unhealthy, 5u);
  EXPECT_EQ(health.expect, (std::vector<std::uint16_t>{200, 204}));
  EXPECT_EQ(config.clusters[1].panic_threshold, 0.3);
  EXPECT_EQ(config.clusters[1].outlier->ejection, std::chrono::seconds(5));
}

TEST(Words, OfOtherProgramsAreSuggestions) {
  EXPECT_TRUE(contains(bad(with_new_cluster("endpoints: ['a:1'], protocol: h2")),
                       "\"h2\" is not one of http1, http2, auto; did you mean \"http2\"?"));
  EXPECT_TRUE(contains(bad(with("log: {level: warning}\n")), "\"warning\" is not one of debug, info, warn, error; did you mean \"warn\"?"));
  EXPECT_TRUE(contains(bad(with_route("gate: {on_fail: rollback}")), "did you mean \"revert\"?"));
  EXPECT_TRUE(contains(bad(with_listener("proxy_protocol: v2")), "did you mean \"accept\"?"));
}

TEST(GateErrors, SayWhatIsAllowedAndWhyAStatusIsNot) {
  const std::string allowed = " is not one of 5xx, connect, timeout, reset, grpc:1 to grpc:16";
  EXPECT_TRUE(contains(bad(with_route("gate: {errors: [500]}")),
                       "\"500\"" + allowed + "; 5xx is every status from 500 to 599, a single one cannot be chosen\n"));
  EXPECT_TRUE(contains(bad(with_route("gate: {errors: [4xx]}")), "\"4xx\"" + allowed + "; a 4xx is the client's own, never a failure of a side\n"));
  EXPECT_TRUE(contains(bad(with_route("gate: {errors: [conect]}")), allowed + "; did you mean \"connect\"?\n"));
  EXPECT_TRUE(contains(bad(with_route("gate: {errors: [frob]}")), "\"frob\"" + allowed + "\n"));
}

TEST(Health, WhatCouldNotPassIsRefused) {
  EXPECT_TRUE(contains(bad(with_new_cluster("endpoints: ['a:1'], health: {path: healthz}")), "is not a path"));
  EXPECT_TRUE(contains(bad(with_new_cluster("endpoints: ['a:1'], health: {expect: []}")), "health.expect: the list is empty\n"));
  EXPECT_TRUE(contains(bad(with_new_cluster("endpoints: ['a:1'], health: {type: grpc}")), "protocol has to be http2"));
  EXPECT_TRUE(contains(bad(with_new_cluster("endpoints: ['a:1'], health: {service: a}")), "only checks of type grpc"));
}

TEST(Later, KeysOfTheProductSayThatTheyAreNotSupportedYet) {
  for (const char* keys : {"tracing: {}"}) {
    EXPECT_TRUE(contains(bad(with(std::string(keys) + "\n")), "not supported by this version yet")) << keys;
  }
  for (const char* keys : {"sticky: {}", "force: {}", "writes: old",
      "mirror: {compare: {}}",
                           "match: {path: {regex: a}}",
                               "match: {headers: {a: {regex: a}}}"}) {
    EXPECT_TRUE(contains(bad(with_route(keys)), "not supported by this version yet")) << keys;
  }
  for (const char* keys : {"state: {store: etcd, endpoints: [], prefix: /, tls: {}, user: a}"}) {
    EXPECT_TRUE(contains(bad(with(std::string(keys) + "\n")), "not supported by this version yet")) << keys;
  }
}

TEST(Later, TheMessageIsNotThatOfAnUnknownKey) {
  EXPECT_EQ(bad(with_route("sticky: {by: cookie}")),
            "t.yaml:3:22: routes[0].sticky: not supported by this version yet\n");
  EXPECT_EQ(bad(with("state: {store: etcd}\n")),
            "t.yaml:4:16: state.store: \"etcd\" is not supported by this version yet\n");
  EXPECT_TRUE(contains(bad(with("state: {store: redis}\n")), "\"redis\" is not one of sqlite"));
}

}  // namespace
}  // namespace tidegate::config
