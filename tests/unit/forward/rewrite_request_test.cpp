// Requests as clusters see them: what passes, what is dropped, what is added, and that nobody can talk Tidegate out of it.
#include <gtest/gtest.h>

#include "forward/heads.h"
#include "http/grammar.h"

namespace tidegate::forward::test {
namespace {

TEST(EncodeRequest, WritesAWholeHeadAnew) {
  EXPECT_EQ(encode("GET /a?b HTTP/1.1\r\nHost: example.org\r\nAccept:x\r\n"),
            "GET /a?b HTTP/1.1\r\nhost: example.org\r\nAccept: x\r\nx-forwarded-for: 192.0.2.7\r\n"
            "x-forwarded-proto: http\r\nx-forwarded-host: example.org\r\nx-request-id: id-1\r\nx-tidegate-hop: 1\r\n\r\n");
}

TEST(EncodeRequest, SpeaksHttp11ToClustersWhateverTheClientSpoke) {
  EXPECT_TRUE(encode("GET / HTTP/1.0\r\nHost: h\r\n").starts_with("GET / HTTP/1.1\r\nhost: h\r\n"));
}

TEST(EncodeRequest, RemovesHopByHopFields) {
  const std::string head = encode(
      "GET / HTTP/1.1\r\nHost: h\r\nConnection: keep-alive, Upgrade\r\nKeep-Alive: 5\r\nProxy-Connection: x\r\n"
      "Upgrade: h2c\r\nTE: gzip\r\nkept: 1\r\n");
  for (const char* name : {"connection", "keep-alive", "proxy-connection", "upgrade", "te"}) EXPECT_FALSE(has(head, name)) << name;
  EXPECT_EQ(lines(head, "kept"), "1");
}

TEST(EncodeRequest, RemovesWhatConnectionNames) {
  const std::string head = encode("GET / HTTP/1.1\r\nHost: h\r\nX-Secret: 1\r\nConnection: x-secret, Y\r\ny: 2\r\nz: 3\r\n");
  EXPECT_FALSE(has(head, "x-secret"));
  EXPECT_FALSE(has(head, "y"));
  EXPECT_EQ(lines(head, "z"), "3");
}

TEST(EncodeRequest, CannotBeTalkedOutOfItsOwnFieldsByConnection) {
  const std::string head = encode(
      "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n"
      "Connection: host, content-length, x-forwarded-for, x-forwarded-host, x-forwarded-proto, x-request-id\r\n");
  EXPECT_EQ(lines(head, "host"), "h");
  EXPECT_EQ(lines(head, "content-length"), "5");
  EXPECT_EQ(lines(head, "x-forwarded-for"), "192.0.2.7");
  EXPECT_EQ(lines(head, "x-forwarded-host"), "h");
  EXPECT_EQ(lines(head, "x-forwarded-proto"), "http");
  EXPECT_EQ(lines(head, "x-request-id"), "id-1");
}

TEST(EncodeRequest, ATrustedPeerThatNamesForwardedFieldsAwayStillGetsThem) {
  RequestContext context = context_of_a_stranger();
  context.peer_trusted = true;
  const std::string head = encode(
      "GET / HTTP/1.1\r\nHost: h\r\nX-Forwarded-For: 1.1.1.1\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: o\r\n"
      "Connection: x-forwarded-for, x-forwarded-proto, x-forwarded-host\r\n", context);
  EXPECT_EQ(lines(head, "x-forwarded-for"), "1.1.1.1, 192.0.2.7");
  EXPECT_EQ(lines(head, "x-forwarded-proto"), "http");
  EXPECT_EQ(lines(head, "x-forwarded-host"), "h");
}

constexpr std::string_view kForged =
    "GET / HTTP/1.1\r\nHost: h\r\nX-Forwarded-For: 1.1.1.1\r\nx-forwarded-for: 2.2.2.2\r\nX-Forwarded-Proto: https\r\n"
    "X-Forwarded-Host: bank.example\r\nX-Forwarded-Port: 1\r\nX-Real-IP: 1.1.1.1\r\nForwarded: for=1.1.1.1\r\n"
    "X-Tidegate-Side: new\r\nX-TIDEGATE-Mirror: 1\r\nX-Request-Id: chosen\r\n";

TEST(EncodeRequest, ReplacesWhatAStrangerForged) {
  const std::string head = encode(kForged);
  EXPECT_EQ(lines(head, "x-forwarded-for"), "192.0.2.7");
  EXPECT_EQ(lines(head, "x-forwarded-proto"), "http");
  EXPECT_EQ(lines(head, "x-forwarded-host"), "h");
  EXPECT_EQ(lines(head, "x-request-id"), "id-1");
  EXPECT_FALSE(has(head, "forwarded"));
  EXPECT_FALSE(has(head, "x-forwarded-port"));
  EXPECT_FALSE(has(head, "x-real-ip"));
  EXPECT_FALSE(has(head, "x-tidegate-side"));
  EXPECT_FALSE(has(head, "x-tidegate-mirror"));
}

TEST(EncodeRequest, ExtendsWhatATrustedPeerSays) {
  RequestContext context = context_of_a_stranger();
  context.peer_trusted = true;
  const std::string head = encode(kForged, context);
  EXPECT_EQ(lines(head, "x-forwarded-for"), "1.1.1.1, 2.2.2.2, 192.0.2.7");
  EXPECT_EQ(lines(head, "x-forwarded-proto"), "https");
  EXPECT_EQ(lines(head, "x-forwarded-host"), "bank.example");
  EXPECT_EQ(lines(head, "forwarded"), "for=1.1.1.1");
  EXPECT_FALSE(has(head, "x-tidegate-side"));
  EXPECT_FALSE(has(head, "x-tidegate-mirror"));
}

TEST(EncodeRequest, SkipsAnEmptyForwardedForOfATrustedPeer) {
  RequestContext context = context_of_a_stranger();
  context.peer_trusted = true;
  EXPECT_EQ(lines(encode("GET / HTTP/1.1\r\nHost: h\r\nX-Forwarded-For:\r\n", context), "x-forwarded-for"), "192.0.2.7");
}

TEST(EncodeRequest, WritesExactlyOneHost) {
  EXPECT_EQ(lines(encode("GET http://o:81/ HTTP/1.1\r\nHost: h\r\n"), "host"), "o:81") << "the target's authority wins";
  RequestContext context = context_of_a_stranger();
  context.host = "literal.example";
  const std::string head = encode("GET / HTTP/1.1\r\nHost: h\r\n", context);
  EXPECT_EQ(lines(head, "host"), "literal.example");
  EXPECT_EQ(lines(head, "x-forwarded-host"), "h") << "the application can still see what was asked for";
  EXPECT_EQ(lines(encode("GET / HTTP/1.0\r\n"), "host"), "");
  EXPECT_TRUE(has(encode("GET / HTTP/1.0\r\n"), "host")) << "HTTP/1.1 without an authority has an empty Host";
}

TEST(EncodeRequest, CountsTheProxiesThatARequestHasComeThroughWhoeverSaysIt) {
  const auto hops = [](const std::string& fields) { return hops_of(Received("GET / HTTP/1.1\r\nHost: h\r\n" + fields).head.fields); };
  EXPECT_EQ(hops(""), 0u);
  EXPECT_EQ(hops("x-tidegate-side: 3\r\n"), 0u);
  EXPECT_EQ(hops("x-tidegate-hop: 1\r\n"), 1u);
  EXPECT_EQ(hops("x-tidegate-hop: 2\r\nX-Tidegate-Hop: 5\r\nx-tidegate-hop: 1\r\n"), 5u);
  EXPECT_EQ(hops("x-tidegate-hop: 99999999999\r\n"), kMostHops);
  EXPECT_EQ(hops("x-tidegate-hop: 3\r\nConnection: x-tidegate-hop\r\n"), 3u);
  for (const std::string odd : {"", "-1", "x", "1, 2", "99999999999999999999"}) EXPECT_EQ(hops("x-tidegate-hop: " + odd + "\r\n"), 0u) << odd;
  RequestContext context = context_of_a_stranger();
  context.hops = 7;
  EXPECT_EQ(lines(encode("GET / HTTP/1.1\r\nHost: h\r\nx-tidegate-hop: 2\r\n", context), "x-tidegate-hop"), "8");
}

TEST(EncodeRequest, SaysThatThereIsNoContentWhereTheMethodWantsSome) {
  for (const std::string method : {"POST", "PUT", "PATCH"}) {
    EXPECT_EQ(lines(encode(method + " / HTTP/1.1\r\nHost: h\r\n"), "content-length"), "0") << method;
    EXPECT_EQ(lines(encode(method + " / HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n"), "content-length"), "0") << method;
    EXPECT_FALSE(has(encode(method + " / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n"), "content-length")) << method;
  }
  for (const std::string method : {"GET", "DELETE", "OPTIONS", "BREW"}) {
    EXPECT_FALSE(has(encode(method + " / HTTP/1.1\r\nHost: h\r\n"), "content-length")) << method;
  }
}

TEST(EncodeRequest, ForwardsOnlyTrailersOfTe) {
  for (const char* te : {"trailers", "gzip, Trailers", "TRAILERS ,deflate;q=0.5"}) {
    const std::string head = encode("GET / HTTP/1.1\r\nHost: h\r\nTE: " + std::string(te) + "\r\nConnection: TE\r\n");
    EXPECT_EQ(lines(head, "te"), "trailers") << te;
    EXPECT_EQ(lines(head, "connection"), "te") << te;
  }
  for (const char* te : {"gzip", "", "trailers;q=1", "xtrailers"}) {
    const std::string head = encode("GET / HTTP/1.1\r\nHost: h\r\nTE: " + std::string(te) + "\r\n");
    EXPECT_FALSE(has(head, "te")) << te;
    EXPECT_FALSE(has(head, "connection")) << te;
  }
}

TEST(EncodeRequest, PassesExpectOnOnlyWhereItCounts) {
  const std::string fields = "Host: h\r\nExpect: 100-continue\r\nContent-Length: 5\r\n";
  EXPECT_EQ(lines(encode("POST / HTTP/1.1\r\n" + fields), "expect"), "100-continue");
  EXPECT_FALSE(has(encode("POST / HTTP/1.0\r\n" + fields), "expect")) << "RFC 9110 10.1.1: ignored in HTTP/1.0";
  RequestContext copy = context_of_a_stranger();
  copy.is_mirror_copy = true;
  EXPECT_FALSE(has(encode("POST / HTTP/1.1\r\n" + fields, copy), "expect"));
}

TEST(EncodeRequest, MarksMirrorCopiesAndNothingElse) {
  RequestContext context = context_of_a_stranger();
  EXPECT_FALSE(has(encode("GET / HTTP/1.1\r\nHost: h\r\nX-Tidegate-Mirror: 1\r\n", context), "x-tidegate-mirror"));
  context.is_mirror_copy = true;
  EXPECT_EQ(lines(encode("GET / HTTP/1.1\r\nHost: h\r\nX-Tidegate-Mirror: 0\r\n", context), "x-tidegate-mirror"), "1");
}

TEST(EncodeRequest, AppliesTheRoutesHeaderEdits) {
  route::HeaderEdits edits;
  edits.set = {{"x-a", "new"}, {"x-b", "added"}};
  edits.remove = {"cookie", "x-gone"};
  RequestContext context = context_of_a_stranger();
  context.edits = &edits;
  const std::string head =
      encode("GET / HTTP/1.1\r\nHost: h\r\nX-A: 1\r\nx-a: 2\r\nCOOKIE: s\r\nX-Gone: 3\r\nx-gone2: 4\r\n", context);
  EXPECT_EQ(lines(head, "x-a"), "new");
  EXPECT_EQ(lines(head, "x-b"), "added");
  EXPECT_FALSE(has(head, "cookie"));
  EXPECT_FALSE(has(head, "x-gone"));
  EXPECT_EQ(lines(head, "x-gone2"), "4");
}

std::string lower(std::string text) {
  for (char& c : text) c = http::lower(c);
  return text;
}

TEST(EncodeRequest, LetsTheRouteHaveItsWordAboutTidegatesOwnFields) {
  constexpr std::string_view kRequest =
      "GET / HTTP/1.1\r\nHost: h\r\nX-Forwarded-For: 1\r\nX-Forwarded-Host: 2\r\nX-Forwarded-Proto: 3\r\nX-Request-Id: 4\r\n"
      "Traceparent: 5\r\nX-Forwarded-Client-Cert: 6\r\n";
  for (const char* const name :
       {"x-forwarded-for", "X-Forwarded-Host", "x-forwarded-proto", "x-request-id", "traceparent", "x-forwarded-client-cert"}) {
    for (const bool trusted : {false, true}) {
      route::HeaderEdits set;
      set.set = {{name, "ours"}};
      route::HeaderEdits remove;
      remove.remove = {lower(name)};
      RequestContext context = context_of_a_stranger();
      context.peer_trusted = trusted;
      context.traceparent = "00-1-2-01";
      context.client_certificate = "Subject=x";
      context.edits = &set;
      EXPECT_EQ(lines(encode(kRequest, context), lower(name)), "ours");
      context.edits = &remove;
      EXPECT_FALSE(has(encode(kRequest, context), lower(name)));
      EXPECT_EQ(lines(encode(kRequest, context), "x-tidegate-hop"), "1");
    }
  }
}

TEST(EncodeRequest, NeverWritesBothFramingFields) {
  for (const char* lines_in : {"Content-Length: 5\r\n", "Content-Length: 0\r\n", "Content-Length: 007\r\n",
                               "Transfer-Encoding: chunked\r\n", ""}) {
    const std::string head = encode("POST / HTTP/1.1\r\nHost: h\r\n" + std::string(lines_in));
    EXPECT_FALSE(has(head, "content-length") && has(head, "transfer-encoding")) << lines_in;
    EXPECT_EQ(has(head, "content-length"), !std::string_view(lines_in).starts_with("Transfer")) << lines_in;
    EXPECT_EQ(has(head, "transfer-encoding"), std::string_view(lines_in).starts_with("Transfer")) << lines_in;
  }
  EXPECT_EQ(lines(encode("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 007\r\n"), "content-length"), "7");
}

TEST(EncodeRequest, ReplacesATraceparentOnlyWhenItMadeOne) {
  const std::string_view text = "GET / HTTP/1.1\r\nHost: h\r\nTraceparent: theirs\r\nTracestate: s\r\n";
  EXPECT_EQ(lines(encode(text), "traceparent"), "theirs");
  EXPECT_EQ(lines(encode(text), "tracestate"), "s");
  RequestContext context = context_of_a_stranger();
  context.traceparent = "ours";
  EXPECT_EQ(lines(encode(text, context), "traceparent"), "ours");
  EXPECT_FALSE(has(encode(text, context), "tracestate"));
}

TEST(EncodeRequest, HasRoomForTheLargestHeads) {
  std::string text = "POST /" + std::string(16'000, 'p') + " HTTP/1.1\r\nHost: " + std::string(255, 'h') + "\r\n";
  for (int i = 0; i < 90; ++i) text += "X-Forwarded-For: " + std::string(400, 'f') + "\r\n";
  text += "TE: trailers\r\nContent-Length: 999999999999999999\r\n";
  RequestContext context = context_of_a_stranger();
  const std::string peer(45, '9'), id(128, 'i'), trace(55, 't');
  context.peer = peer;
  context.peer_trusted = context.is_mirror_copy = true;
  context.request_id = id;
  context.traceparent = trace;
  const std::string head = encode(text, context);
  EXPECT_TRUE(head.ends_with("content-length: 999999999999999999\r\n\r\n"));
  EXPECT_EQ(lines(head, "x-forwarded-for").size(), 90 * 402 + peer.size());
}

}  // namespace
}  // namespace tidegate::forward::test
