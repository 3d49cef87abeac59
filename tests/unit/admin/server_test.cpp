// The few tests that need a socket: what Beast and the session do. Ports are always 0.
#include "admin/server.h"

#include <boost/asio/buffer.hpp>
#include <boost/asio/connect.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/write.hpp>

#include "admin/admin_fixture.h"
#include "admin/client.h"
#include "net/tls_pair.h"

namespace tidegate::admin::test {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;

class ServerTest : public testing::Test {
 protected:
  ServerTest() : server_(setup()) { server_.start(); }

  admin::Setup setup() {
    admin::Setup out{"127.0.0.1", 0, {}, false, world_.services(), {}};
    out.limits.connections = 4;
    out.limits.farewell = std::chrono::milliseconds(50);
    return out;
  }
  std::uint16_t port() const { return parse_server(server_.address())->port; }
  Client client() const { return Client(Client::Setup{*parse_server(server_.address())}); }

  tcp::socket connected() {
    tcp::socket socket(io_);
    socket.connect({asio::ip::make_address("127.0.0.1"), port()});
    return socket;
  }
  /// Everything until the server closes.
  std::string talk(const std::string& bytes) {
    tcp::socket socket = connected();
    boost::system::error_code ignored;
    asio::write(socket, asio::buffer(bytes), ignored);
    std::string out;
    asio::read(socket, asio::dynamic_buffer(out), ignored);
    return out;
  }
  std::string head(const std::string& start_line) const {
    return start_line + "\r\nHost: " + server_.address() + "\r\n";
  }

  World world_;
  asio::io_context io_;
  Server server_;
};

TEST_F(ServerTest, TheClientReadsAndChanges) {
  const auto got = client().get("/api/v1/routes/api");
  ASSERT_TRUE(got.has_value()) << got.error().message;
  EXPECT_EQ(got->status, 200u);
  EXPECT_EQ(got->etag, "\"0\"");
  EXPECT_EQ(client().put("/api/v1/routes/api/weight", R"({"percent": 30})", "\"0\"")->status, 200u);
  EXPECT_EQ(client().put("/api/v1/routes/api/weight", R"({"percent": 40})", "\"0\"")->status, 412u);
  EXPECT_EQ(client().post("/api/v1/routes/api/revert", "{}")->status, 200u);
  EXPECT_EQ(world_.snapshot.routes()[0].live->split().weight, Weight::none());
}

TEST_F(ServerTest, OneConnectionTakesManyRequestsAlsoPipelined) {
  const std::string answers =
      talk(head("GET /healthz HTTP/1.1") + "\r\n" + head("HEAD /api/v1/status HTTP/1.1") + "\r\n" +
           head("POST /api/v1/routes/api/revert HTTP/1.1") + "Content-Length: 0\r\n\r\n" +
           head("GET /readyz HTTP/1.1") + "Connection: close\r\n\r\n");
  std::size_t count = 0;
  for (std::size_t at = answers.find("HTTP/1.1 200"); at != std::string::npos;
       at = answers.find("HTTP/1.1 200", at + 1))
    ++count;
  EXPECT_EQ(count, 4u) << answers;
  EXPECT_EQ(answers.find("\"routes\":["), std::string::npos) << "HEAD has no body";
}

TEST_F(ServerTest, ABodyThatIsTooLargeIsToldSo) {
  const auto answer = client().put("/api/v1/routes/api/weight", std::string(1 << 20, ' '));
  ASSERT_TRUE(answer.has_value()) << answer.error().message;
  EXPECT_EQ(answer->status, 413u);
  EXPECT_EQ(json::parse(answer->body).at("error").at("code"), "too_large");
}

TEST_F(ServerTest, AChunkedBodyThatIsTooLargeIsToldSo) {
  const std::string answer =
      talk(head("PUT /api/v1/routes/api/weight HTTP/1.1") + "Transfer-Encoding: chunked\r\n\r\n20000\r\n" +
           std::string(0x20000, ' ') + "\r\n0\r\n\r\n");
  EXPECT_EQ(answer.substr(0, 12), "HTTP/1.1 413") << answer;
}

TEST_F(ServerTest, AHeadThatIsTooLargeIsToldSo) {
  const std::string answer = talk(head("GET /healthz HTTP/1.1") + "x: " + std::string(20'000, 'x') + "\r\n\r\n");
  EXPECT_EQ(answer.substr(0, 12), "HTTP/1.1 431") << answer;
}

TEST_F(ServerTest, WhatIsNotHttpIsRefusedAndClosed) {
  EXPECT_EQ(talk("\x16\x03\x01 hello\r\n\r\n").substr(0, 12), "HTTP/1.1 400");
  const std::string smuggled = head("POST /api/v1/revert HTTP/1.1") + "Transfer-Encoding: chunked, gzip\r\n\r\n";
  EXPECT_EQ(talk(smuggled).substr(0, 12), "HTTP/1.1 400");
  EXPECT_EQ(world_.snapshot.routes()[0].live->split().weight, Weight::of_units(500));
}

TEST_F(ServerTest, AClientThatWaitsForContinueGetsIt) {
  tcp::socket socket = connected();
  const std::string text = R"({"percent": 9})";
  asio::write(
      socket,
      asio::buffer(head("PUT /api/v1/routes/api/weight HTTP/1.1") +
                   "Content-Type: application/json\r\nExpect: 100-continue\r\nConnection: close\r\nContent-Length: " +
                   std::to_string(text.size()) + "\r\n\r\n"));
  std::string answer;
  asio::read_until(socket, asio::dynamic_buffer(answer), "\r\n\r\n");
  EXPECT_EQ(answer, "HTTP/1.1 100 Continue\r\n\r\n");
  asio::write(socket, asio::buffer(text));
  boost::system::error_code ignored;
  asio::read(socket, asio::dynamic_buffer(answer), ignored);
  EXPECT_NE(answer.find("HTTP/1.1 200"), std::string::npos);
}

TEST_F(ServerTest, ConnectionsThatIdleDoNotLockOutTheOperator) {
  std::vector<tcp::socket> idle;
  for (int i = 0; i < 12; ++i) idle.push_back(connected());  // the bound is 4
  const auto answer = client().post("/api/v1/revert", "{}");
  ASSERT_TRUE(answer.has_value()) << answer.error().message;
  EXPECT_EQ(answer->status, 200u);
}

TEST_F(ServerTest, StopClosesWhatIdlesAndCanBeCalledTwice) {
  tcp::socket socket = connected();
  asio::write(socket, asio::buffer(head("GET /healthz HTTP/1.1") + "\r\n"));
  std::string answer;
  asio::read_until(socket, asio::dynamic_buffer(answer), "\r\n\r\nok\n");
  server_.stop();
  server_.stop();
  boost::system::error_code error;
  asio::read(socket, asio::dynamic_buffer(answer), error);
  EXPECT_TRUE(error) << answer;
}

TEST_F(ServerTest, AnAddressInUseIsSaidByName) {
  admin::Setup again = setup();
  again.port = port();
  Server second(std::move(again));
  try {
    second.start();
    FAIL() << "the port is taken";
  } catch (const std::runtime_error& error) {
    EXPECT_NE(std::string(error.what()).find("admin address " + server_.address()), std::string::npos) << error.what();
  }
}

TEST_F(ServerTest, AnEngineThatDoesNotAnswerInTimeIsSaid) {
  world_.engine->stop();
  admin::Setup impatient = setup();
  impatient.limits.answer = std::chrono::milliseconds(10);
  Server server(std::move(impatient));
  server.start();
  const auto answer = Client(Client::Setup{*parse_server(server.address())}).get("/api/v1/status");
  ASSERT_TRUE(answer.has_value()) << answer.error().message;
  EXPECT_EQ(answer->status, 503u);
  EXPECT_EQ(json::parse(answer->body).at("error").at("code"), "unavailable");
}

TEST_F(ServerTest, AnAnswerThatComesAfterTheServerIsGoneIsDropped) {
  {
    Server brief(setup());
    brief.start();
    tcp::socket socket(io_);
    socket.connect({asio::ip::make_address("127.0.0.1"), parse_server(brief.address())->port});
    const std::string ask = "GET /api/v1/status HTTP/1.1\r\nHost: " + brief.address() + "\r\n\r\n";
    asio::write(socket, asio::buffer(ask));
  }
  world_.engine->stop();
}

/// The same server over TLS.
class TlsServerTest : public ServerTest {
 protected:
  void SetUp() override {
    admin::Setup over_tls = setup();
    over_tls.limits.handshake = std::chrono::milliseconds(500);
    over_tls.tls = context(pki_.server);
    tls_server_ = std::make_unique<Server>(std::move(over_tls));
    tls_server_->start();
  }
  std::shared_ptr<const net::TlsServerContext> context(const net::test::Identity& identity) {
    net::TlsServerPolicy policy;
    policy.certificates.push_back({identity.cert, identity.key, {}});
    policy.alpn = {"http/1.1"};
    return pki_.server_context(policy);
  }
  Client client(bool https = true) {
    ServerUrl url = *parse_server(tls_server_->address());
    url.https = https;
    return Client(Client::Setup{url, {}, std::chrono::seconds(5), {true, pki_.authority.ca(), {}, {}}});
  }
  tcp::socket connected() {
    tcp::socket socket(io_);
    socket.connect({asio::ip::make_address("127.0.0.1"), parse_server(tls_server_->address())->port});
    return socket;
  }
  static std::string rest_of(tcp::socket& socket) {
    std::string out;
    boost::system::error_code ignored;
    asio::read(socket, asio::dynamic_buffer(out), ignored);
    return out;
  }

  net::test::Pki pki_;
  std::unique_ptr<Server> tls_server_;
};

TEST_F(TlsServerTest, TheClientReadsAndChangesOverHttps) {
  const auto got = client().get("/api/v1/routes/api");
  ASSERT_TRUE(got.has_value()) << got.error().message;
  EXPECT_EQ(got->etag, "\"0\"");
  EXPECT_EQ(client().put("/api/v1/routes/api/weight", R"({"percent": 30})", "\"0\"")->status, 200u);
  EXPECT_EQ(client().put("/api/v1/routes/api/weight", std::string(1 << 20, ' '))->status, 413u) << "and is told so, though it still sends";
}

TEST_F(TlsServerTest, ACertificateThatIsReplacedIsForTheNextConnection) {
  const net::test::Identity elsewhere = pki_.authority.issue("DNS:elsewhere.example");
  tls_server_->set_tls(context(elsewhere));
  const auto answer = client().get("/healthz");
  ASSERT_TRUE(answer.has_error());
  EXPECT_EQ(answer.error().kind, ClientError::Kind::Untrusted) << answer.error().message;
}

TEST_F(TlsServerTest, PlainHttpIsToldThatThePortSpeaksTls) {
  const auto answer = client(false).get("/healthz");
  ASSERT_TRUE(answer.has_value()) << answer.error().message;
  EXPECT_EQ(answer->status, 400u);
  EXPECT_EQ(json::parse(answer->body).at("error").at("code"), "tls_required");
}

TEST_F(TlsServerTest, ConnectionsThatOnlyBeginAHandshakeAreEndedAndLockNobodyOut) {
  std::vector<tcp::socket> half;
  for (int i = 0; i < 12; ++i) {  // the limit is 4
    half.push_back(connected());
    asio::write(half.back(), asio::buffer("\x16\x03\x01", 3));
  }
  EXPECT_EQ(client().get("/healthz")->status, 200u);
  for (tcp::socket& one : half) EXPECT_EQ(rest_of(one), "");
}

TEST(Client, WhereNobodyListensIsUnreachable) {
  asio::io_context io;
  tcp::acceptor reserved(io, {asio::ip::make_address("127.0.0.1"), 0});
  const std::uint16_t port = reserved.local_endpoint().port();
  reserved.close();
  const auto answer = Client(Client::Setup{{"127.0.0.1", port}}).get("/api/v1/status");
  ASSERT_TRUE(answer.has_error());
  EXPECT_EQ(answer.error().kind, ClientError::Kind::Unreachable);
}

TEST(Client, AServerThatNeverAnswersIsGivenUpInTime) {
  asio::io_context io;
  tcp::acceptor silent(io, {asio::ip::make_address("127.0.0.1"), 0});  // the kernel accepts, nobody reads
  const auto answer =
      Client(Client::Setup{{"127.0.0.1", silent.local_endpoint().port()}, {}, std::chrono::milliseconds(20)})
          .get("/api/v1/status");
  ASSERT_TRUE(answer.has_error());
  EXPECT_EQ(answer.error().kind, ClientError::Kind::TimedOut);
}

TEST(Client, ServersAreNamedByHostAndPortAlone) {
  EXPECT_EQ(parse_server("http://127.0.0.1:9900")->port, 9900);
  EXPECT_EQ(parse_server("localhost:81")->host, "localhost");
  EXPECT_EQ(parse_server("http://[::1]:81/")->host, "::1");
  EXPECT_EQ(parse_server("edge")->port, 9900);
  EXPECT_FALSE(parse_server("edge")->https);
  EXPECT_TRUE(parse_server("https://[::1]:81/")->https);
  EXPECT_EQ(parse_server("https://edge")->port, 9900);
  for (const char* bad : {"", "ftp://x", "https://", "https://x/api", "http://", "http://x/api", "http://u:p@x", "http://x:0", "http://x:99999",
                          "http://x:", "x?y", "a b"}) {
    EXPECT_TRUE(parse_server(bad).has_error()) << bad;
  }
}

}  // namespace
}  // namespace tidegate::admin::test
