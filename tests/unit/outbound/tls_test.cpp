#include <fstream>

#include "outbound/certificates.h"
#include "outbound/client_fixture.h"
#include "outbound/trust.h"

namespace tidegate::outbound::test {
namespace {

using Kind = Error::Kind;

class TlsTest : public ClientTest {
 protected:
  Request trusting(const Server& server) {
    Request request = get(server.url("/path?secret"));
    request.tls.ca = authority.ca();
    return request;
  }
  static std::string not_valid(const Server& server) {
    return "the certificate of " + server.endpoint() + " is not valid: ";
  }

  Authority authority;
};

TEST_F(TlsTest, TrustsAnAuthorityOfAFile) {
  Server server(Server::always(answer(200, "safe")), authority.server(authority.issue("IP:127.0.0.1")));
  const Result result = ask(trusting(server));
  ASSERT_TRUE(result) << result.error().message;
  EXPECT_EQ(result->body, "safe");
}

TEST_F(TlsTest, VerifiesNamesAndTellsTheServerWhichOneItWants) {
  std::string wanted;
  auto context = authority.server(authority.issue("DNS:localhost"));
  ::SSL_CTX_set_tlsext_servername_callback(context->native_handle(), +[](::SSL* tls, int*, void* out) {
    const char* name = ::SSL_get_servername(tls, TLSEXT_NAMETYPE_host_name);
    *static_cast<std::string*>(out) = name == nullptr ? "" : name;
    return SSL_TLSEXT_ERR_OK;
  });
  ::SSL_CTX_set_tlsext_servername_arg(context->native_handle(), &wanted);
  Server server(Server::always(answer(200, "safe")), context);
  Request request = trusting(server);
  request.url.host = "localhost";
  const Result result = ask(request);
  ASSERT_TRUE(result) << result.error().message;
  EXPECT_EQ(wanted, "localhost");
}

TEST_F(TlsTest, RefusesAnAuthorityThatItDoesNotKnow) {
  Server server(Server::always(answer(200, "")), authority.server(authority.issue("IP:127.0.0.1")));
  Request request = trusting(server);
  request.tls.ca.clear();
  expect_error(ask(request), Kind::Tls, not_valid(server) + "unable to get local issuer certificate");
  const Authority other;
  request.tls.ca = other.ca();
  const Result result = ask(request);
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().kind, Kind::Tls);
  EXPECT_EQ(result.error().tls, Error::Tls::Untrusted);
  EXPECT_EQ(result.error().message.find(not_valid(server)), 0u) << result.error().message;
  EXPECT_TRUE(server.seen().empty());
}

TEST_F(TlsTest, RefusesTheCertificateOfAnotherName) {
  Server server(Server::always(answer(200, "")), authority.server(authority.issue("DNS:other.example.com")));
  expect_error(ask(trusting(server)), Kind::Tls, not_valid(server) + "IP address mismatch");
  Request request = trusting(server);
  request.url.host = "localhost";
  expect_error(ask(request), Kind::Tls,
               "the certificate of localhost:" + std::to_string(server.port()) + " is not valid: hostname mismatch");
}

TEST_F(TlsTest, DoesNotTakeTheSubjectForAName) {
  Server server(Server::always(answer(200, "")), authority.server(authority.issue("email:a@localhost", 3600, "localhost")));
  Request request = trusting(server);
  request.url.host = "localhost";
  expect_error(ask(request), Kind::Tls,
               "the certificate of localhost:" + std::to_string(server.port()) + " is not valid: hostname mismatch");
}

TEST_F(TlsTest, RefusesACertificateThatHasExpired) {
  Server server(Server::always(answer(200, "")), authority.server(authority.issue("IP:127.0.0.1", -60)));
  expect_error(ask(trusting(server)), Kind::Tls, not_valid(server) + "certificate has expired");
}

TEST_F(TlsTest, TakesAnyCertificateWhenItIsToldTo) {
  Server server(Server::always(answer(200, "any")), authority.server(authority.issue("DNS:other", -60)));
  Request request = get(server.url());
  request.tls.verify = false;
  EXPECT_EQ(ask(request).value().body, "any");
}

TEST_F(TlsTest, ShowsItsOwnCertificate) {
  auto context = authority.server(authority.issue("IP:127.0.0.1"));
  context->load_verify_file(authority.ca());
  context->set_verify_mode(asio::ssl::verify_peer | asio::ssl::verify_fail_if_no_peer_cert);
  Server server(Server::always(answer(200, "known")), context);
  Request request = trusting(server);
  const Result unknown = ask(request);
  ASSERT_FALSE(unknown);
  const Identity own = authority.issue("DNS:client");
  request.tls.cert = own.cert;
  request.tls.key = own.key;
  const Result known = ask(request);
  ASSERT_TRUE(known) << known.error().message;
  EXPECT_EQ(known->body, "known");
}

TEST_F(TlsTest, DoesNotSpeakTlsBelow12) {
  auto context = authority.server(authority.issue("IP:127.0.0.1"));
  ::SSL_CTX_set_cipher_list(context->native_handle(), "ALL:@SECLEVEL=0");
  ::SSL_CTX_set_min_proto_version(context->native_handle(), TLS1_VERSION);
  ::SSL_CTX_set_max_proto_version(context->native_handle(), TLS1_1_VERSION);
  Server server(Server::always(answer(200, "")), context);
  const Result result = ask(trusting(server));
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().kind, Kind::Tls) << result.error().message;
}

TEST_F(TlsTest, AServerThatSaysNothingToAHandshakeIsADeadlineToo) {
  Server server(Server::always({}));  // it waits for a line
  expect_late(get("https://" + server.endpoint() + "/"), "no TLS with " + server.endpoint());
}

TEST_F(TlsTest, NamesTheFileThatCannotBeUsed) {
  EXPECT_FALSE(problem_of({}));
  EXPECT_FALSE(problem_of({true, authority.ca(), {}, {}}));
  EXPECT_EQ(problem_of({true, "/nowhere/ca.pem", {}, {}}).value_or("").find("/nowhere/ca.pem: "), 0u);
  const Identity one = authority.issue("DNS:a"), two = authority.issue("DNS:b");
  EXPECT_FALSE(problem_of({true, {}, one.cert, one.key}));
  EXPECT_EQ(problem_of({true, {}, one.cert, {}}), "a client certificate needs both files, cert and key");
  const auto mixed = problem_of({true, {}, one.cert, two.key});
  EXPECT_EQ(mixed.value_or("").find(two.key + ": "), 0u) << mixed.value_or("none");
}

TEST_F(TlsTest, AsksNobodyWithoutItsFiles) {
  Server server(Server::always(answer(200, "")), authority.server(authority.issue("IP:127.0.0.1")));
  Request request = trusting(server);
  request.tls.ca = "/nowhere/ca.pem";
  const Result result = ask(request);
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().kind, Kind::Setup);
  EXPECT_EQ(result.error().message.find("cannot ask https://" + server.endpoint() + ": /nowhere/ca.pem: "), 0u)
      << result.error().message;
}

/// A key with a passphrase must not stop the program at a prompt.
TEST_F(TlsTest, DoesNotAskForAPassphrase) {
  const Identity one = authority.issue("DNS:a");
  const std::unique_ptr<std::FILE, Free> in(std::fopen(one.key.c_str(), "r"));
  const std::unique_ptr<::EVP_PKEY, Free> key(::PEM_read_PrivateKey(in.get(), nullptr, nullptr, nullptr));
  const std::string locked = one.key + ".locked";
  std::unique_ptr<std::FILE, Free> out(std::fopen(locked.c_str(), "w"));
  unsigned char phrase[] = "phrase";
  ::PEM_write_PrivateKey(out.get(), key.get(), ::EVP_aes_128_cbc(), phrase, 6, nullptr, nullptr);
  out.reset();
  EXPECT_TRUE(problem_of({true, {}, one.cert, locked}));
}

}  // namespace
}  // namespace tidegate::outbound::test
