#include "outbound/conversation.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <boost/asio/post.hpp>
#include <boost/asio/ssl/error.hpp>
#include <boost/beast/core/error.hpp>
#include <boost/beast/http/error.hpp>
#include <boost/beast/http/field.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/write.hpp>
#include <utility>

#include "base/local_shortage.h"
#include "outbound/trust.h"

namespace tidegate::outbound {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
using asio::ip::tcp;
using Kind = Error::Kind;

namespace {

/// What Beast reads ahead of the head while it looks for the head's end.
constexpr std::size_t kReadAhead = 64 * 1024;

/// "Connection refused" in the middle of a sentence.
std::string in_sentence(std::string text) {
  const bool acronym = text.size() > 1 && text[1] >= 'A' && text[1] <= 'Z';
  if (!text.empty() && !acronym && text[0] >= 'A' && text[0] <= 'Z') text[0] = static_cast<char>(text[0] + 32);
  return text;
}

bool is_tls_error(const boost::system::error_code& error) {
  return error.category() == asio::error::get_ssl_category();
}

bool is_end(const boost::system::error_code& error) {
  return error == asio::error::eof || error == asio::ssl::error::stream_truncated ||
         error == http::error::end_of_stream || error == http::error::partial_message;
}

/// In TLS 1.3 a server refuses a client's certificate after the handshake is over for the client.
Error::Tls tls_fault(const boost::system::error_code& error) {
  switch (ERR_GET_REASON(static_cast<unsigned>(error.value()))) {
    case SSL_R_WRONG_VERSION_NUMBER:
    case SSL_R_HTTP_REQUEST: return Error::Tls::Plain;
    case SSL_R_TLSV13_ALERT_CERTIFICATE_REQUIRED:
    case SSL_R_SSLV3_ALERT_NO_CERTIFICATE:
    case SSL_R_SSLV3_ALERT_BAD_CERTIFICATE:
    case SSL_R_SSLV3_ALERT_UNSUPPORTED_CERTIFICATE:
    case SSL_R_SSLV3_ALERT_CERTIFICATE_REVOKED:
    case SSL_R_SSLV3_ALERT_CERTIFICATE_EXPIRED:
    case SSL_R_SSLV3_ALERT_CERTIFICATE_UNKNOWN:
    case SSL_R_TLSV1_ALERT_UNKNOWN_CA:
    case SSL_R_TLSV1_ALERT_ACCESS_DENIED: return Error::Tls::Refused;
    default: return Error::Tls::Other;
  }
}

/// The name that the certificate must be for, and that the server is told of (SNI, which has no literals: RFC 6066 §3).
bool expect_name(::SSL* tls, const std::string& host) {
  boost::system::error_code not_a_literal;
  asio::ip::make_address(host, not_a_literal);
  if (!not_a_literal) return ::X509_VERIFY_PARAM_set1_ip_asc(::SSL_get0_param(tls), host.c_str()) == 1;
  ::SSL_set_hostflags(tls, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS | X509_CHECK_FLAG_NEVER_CHECK_SUBJECT);  // RFC 9525 §2
  return ::SSL_set_tlsext_host_name(tls, host.c_str()) == 1 && ::SSL_set1_host(tls, host.c_str()) == 1;
}

}  // namespace

Conversation::Conversation(asio::io_context& io, Request request, Ended ended)
    : request_(std::move(request)),
      ended_(std::move(ended)),
      deadline_(io),
      wire_(io),
      buffer_(kHeadBytes + kReadAhead) {}

void Conversation::start(Lookup& lookup) {
  started_ = Clock::now();
  if (auto problem = prepare()) {
    asio::post(deadline_.get_executor(), [self = shared_from_this(), problem = std::move(*problem)]() mutable {
      self->end(std::move(problem));
    });
    return;
  }
  deadline_.expires_at(started_ + request_.timeout);
  deadline_.async_wait([self = shared_from_this()](const IoError& cancelled) {
    if (!cancelled) self->on_deadline();
  });
  lookup.start(request_.url.host,
               [self = shared_from_this()](Lookup::Found found) { self->on_resolved(std::move(found)); });
}

void Conversation::abort() {
  ended_ = nullptr;
  close();
}

// --- the request

std::optional<Error> Conversation::prepare() {
  const auto unsendable = [this](const std::string& what) {
    return Error{Kind::Setup, what + " for " + request_.url.origin() + " has bytes that can't be sent"};
  };
  if (!can_be_sent(request_.method, "")) return unsendable("the method");
  if (!can_be_sent("Host", request_.host)) return unsendable("the host");
  message_.method_string(request_.method);
  message_.target(request_.url.target);
  message_.version(11);
  message_.set(http::field::host, request_.host.empty() ? request_.url.authority() : request_.host);
  message_.set(http::field::user_agent, "tidegate/" TIDEGATE_VERSION);
  message_.set(http::field::accept, "*/*");
  if (!request_.content_type.empty()) message_.set(http::field::content_type, request_.content_type);
  for (const auto& [name, value] : request_.headers) {
    if (!can_be_sent(name, value)) return unsendable("the header \"" + (can_be_sent(name, "") ? name : "?") + '"');
    message_.set(name, value);
  }
  message_.keep_alive(false);
  message_.body() = request_.body;
  message_.prepare_payload();
  if (!request_.url.https) return std::nullopt;
  auto [context, problem] = make_context(request_.tls);
  if (!context) return Error{Kind::Setup, "cannot ask " + request_.url.origin() + ": " + problem};
  context_ = std::move(context);
  return std::nullopt;
}

// --- the connection

void Conversation::on_resolved(Lookup::Found found) {
  if (phase_ == Phase::Ended) return;
  if (found.addresses.empty())
    return fail(Kind::Resolve, "cannot resolve " + request_.url.host + ": " + in_sentence(found.why));
  addresses_ = std::move(found.addresses);
  std::reverse(addresses_.begin(), addresses_.end());
  phase_ = Phase::Connecting;
  connect();
}

void Conversation::connect() {
  const tcp::endpoint endpoint(addresses_.back(), request_.url.port);
  const Duration left = started_ + request_.timeout - Clock::now();
  const auto part = left / static_cast<Duration::rep>(addresses_.size());
  addresses_.pop_back();
  wire_.close();  // what a failed attempt left
  if (addresses_.empty()) {
    wire_.expires_never();  // the deadline over everything does it
  } else {
    wire_.expires_after(std::max(part, Duration(1)));
  }
  wire_.async_connect(endpoint, [self = shared_from_this()](const IoError& error) { self->on_connected(error); });
}

void Conversation::on_connected(const IoError& error) {
  if (phase_ == Phase::Ended) return;
  if (error && !addresses_.empty()) return connect();
  if (error) {
    const bool is_local = error.category() == boost::system::system_category() && is_local_shortage(error.value());
    return fail(is_local ? Kind::Local : Kind::Connect, "cannot connect to " + request_.url.endpoint() + ": " + in_sentence(error.message()));
  }
  wire_.expires_never();
  if (context_) return secure();
  phase_ = Phase::Asking;
  write();
}

void Conversation::secure() {
  phase_ = Phase::Securing;
  ::SSL* const opened = ::SSL_new(context_->native_handle());
  if (opened == nullptr) return fail(Kind::Setup, "no memory for TLS with " + request_.url.endpoint());
  wire_.secure(opened);
  if (!expect_name(opened, request_.url.host)) {
    ::ERR_clear_error();
    return fail(Kind::Setup, request_.url.host + " is not a name that TLS can ask for");
  }
  wire_.async_handshake(Wire::Role::client, [self = shared_from_this()](const IoError& error) { self->on_secured(error); });
}

void Conversation::on_secured(const IoError& error) {
  if (phase_ == Phase::Ended) return;
  if (error) return end(insecure(error));
  phase_ = Phase::Asking;
  write();
}

// --- the answer

void Conversation::write() {
  http::async_write(wire_, message_, [self = shared_from_this()](const IoError&, std::size_t) {
    if (self->phase_ == Phase::Ended) return;
    self->read();  // also after an error: who refuses a body early answers before it closes
  });
}

void Conversation::read() {
  parser_.emplace();
  parser_->header_limit(kHeadBytes);
  parser_->body_limit(request_.answer_bytes);
  if (request_.method == "HEAD") parser_->skip(true);
  http::async_read(wire_, buffer_, *parser_, [self = shared_from_this()](const IoError& error, std::size_t) {
    if (self->phase_ != Phase::Ended) self->on_read(error);
  });
}

void Conversation::on_read(const IoError& error) {
  if (error) return end(broken(error));
  if (is_interim()) {
    if (++interim_ <= kInterimAnswers) return read();
    return fail(Kind::NotHttp, "what " + request_.url.origin() + " answered is not HTTP: it never ends");
  }
  auto& head = parser_->get();
  // Beast takes a Transfer-Encoding that does not end in chunked as "no body".
  if (head.find(http::field::transfer_encoding) != head.end() && !parser_->chunked())
    return end(broken(http::make_error_code(http::error::bad_transfer_encoding)));
  Response response{head.result_int(), std::string(head[http::field::content_type]), std::move(head.body()),
                    std::string(head[http::field::etag])};
  end(std::move(response));
}

/// 101 is none: it ends HTTP, and nobody asked for it.
bool Conversation::is_interim() const {
  const unsigned status = parser_->get().result_int();
  return status >= 100 && status < 200 && status != 101;
}

// --- the end

void Conversation::on_deadline() {
  const std::string within = " within " + say_duration(request_.timeout);
  switch (phase_) {
    case Phase::Resolving: return fail(Kind::Resolve, "cannot resolve " + request_.url.host + within);
    case Phase::Connecting: return fail(Kind::Timeout, "no connection to " + request_.url.endpoint() + within);
    case Phase::Securing: return fail(Kind::Timeout, "no TLS with " + request_.url.endpoint() + within);
    case Phase::Asking: return fail(Kind::Timeout, "no answer from " + request_.url.origin() + within);
    case Phase::Ended: return;
  }
}

Error Conversation::insecure(const IoError& error) {
  const long verified = ::SSL_get_verify_result(wire_.tls());
  if (is_tls_error(error) && request_.tls.verify && verified != X509_V_OK)
    return {Kind::Tls,
            "the certificate of " + request_.url.endpoint() + " is not valid: " +
                in_sentence(::X509_verify_cert_error_string(verified)),
            0, Error::Tls::Untrusted};
  if (is_tls_error(error))
    return {Kind::Tls, "no TLS with " + request_.url.endpoint() + ": " + in_sentence(error.message()), 0, tls_fault(error)};
  if (is_end(error)) return {Kind::Broken, request_.url.endpoint() + " ended the connection in the TLS handshake"};
  return {Kind::Broken, "no TLS with " + request_.url.endpoint() + ": " + in_sentence(error.message())};
}

Error Conversation::broken(const IoError& error) const {
  const std::string origin = request_.url.origin();
  if (error == http::error::body_limit)
    return {Kind::TooLarge, "the answer of " + origin + " is larger than " + say_bytes(request_.answer_bytes),
            parser_->get().result_int()};
  if (error == http::error::header_limit || error == http::error::buffer_overflow)
    return {Kind::TooLarge, "the head of the answer of " + origin + " is larger than " + say_bytes(kHeadBytes)};
  if (is_end(error))
    return {Kind::Broken, parser_->got_some() ? origin + " ended the connection in the middle of its answer"
                                              : origin + " ended the connection without an answer"};
  if (is_tls_error(error))
    return {Kind::Tls, "TLS with " + origin + " failed: " + in_sentence(error.message()), 0, tls_fault(error)};
  if (error.category() == http::make_error_code(http::error::bad_version).category())
    return {Kind::NotHttp, "what " + origin + " answered is not HTTP: " + error.message()};
  return {Kind::Broken, "the connection to " + origin + " broke: " + in_sentence(error.message())};
}

void Conversation::fail(Kind kind, std::string message) { end(Error{kind, std::move(message)}); }

void Conversation::end(Result result) {
  close();
  if (!ended_) return;
  const Ended ended = std::exchange(ended_, nullptr);
  ended(shared_from_this(), std::move(result));
}

void Conversation::close() {
  phase_ = Phase::Ended;
  deadline_.cancel();
  wire_.close();
}

}  // namespace tidegate::outbound
