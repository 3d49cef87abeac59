#include "admin/session.h"

#include <boost/asio/ssl/error.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/error.hpp>
#include <boost/beast/http/error.hpp>
#include <boost/beast/http/field.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/verb.hpp>
#include <boost/beast/http/write.hpp>
#include <utility>

#include "admin/error_response.h"
#include "net/tls_result.h"

namespace tidegate::admin {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;

Session::Session(asio::ip::tcp::socket socket, std::shared_ptr<const net::TlsServerContext> tls, Handler& handler,
                 const ServerLimits& limits, Gone gone)
    : tls_(std::move(tls)),
      stream_(std::move(socket)),
      patience_(stream_.get_executor()),
      buffer_(limits.head_bytes + limits.body_bytes),
      handler_(handler),
      limits_(limits),
      gone_(std::move(gone)) {}

void Session::start() {
  if (tls_ == nullptr) return read_head();
  ssl_st* const opened = tls_->open();
  if (opened == nullptr) return close();  // no memory for it
  stream_.secure(opened);
  secure();
}

void Session::end() {
  ending_ = true;
  if (idle_since()) close();
}

void Session::end_after_next() {
  last_ = true;
  if (state_ == State::Reading || state_ == State::Securing) stream_.expires_after(limits_.farewell);
}

void Session::abort() { close(); }

std::optional<TimePoint> Session::idle_since() const noexcept {
  const bool waits = state_ == State::Securing || state_ == State::Reading || state_ == State::Lingering;
  return waits ? std::optional(since_) : std::nullopt;
}

// --- TLS

void Session::secure() {
  state_ = State::Securing;
  since_ = Clock::now();
  stream_.expires_after(limits_.handshake);
  stream_.async_handshake(outbound::Wire::Role::server, [self = shared_from_this()](const IoError& error) { self->on_secured(error); });
}

/// Who speaks HTTP to a port of HTTPS is told so in HTTP. Whoever else fails has an alert on its way.
void Session::on_secured(const IoError& error) {
  if (state_ != State::Securing) return;
  if (!error) return read_head();
  if (error.category() != asio::error::get_ssl_category()) return close();
  stream_.give_up_tls();
  if (net::result_of_tls_error(static_cast<unsigned>(error.value())) != net::TlsResult::Plain) return linger();
  keep_alive_ = false;
  unread_ = true;
  write(error_response(ErrorCode::TlsRequired, "this port speaks TLS only: use https://"));
}

// --- the request

void Session::read_head() {
  state_ = State::Reading;
  since_ = Clock::now();
  parser_.emplace();
  parser_->header_limit(limits_.head_bytes);
  parser_->body_limit(limits_.body_bytes);
  stream_.expires_after(last_ ? limits_.farewell : limits_.idle);  // for the whole request: a slow one gains nothing by single bytes
  http::async_read_header(stream_, buffer_, *parser_,
                          [self = shared_from_this()](const IoError& error, std::size_t) { self->on_head(error); });
}

void Session::on_head(const IoError& error) {
  if (state_ != State::Reading) return;
  if (error) return refuse_broken(error);
  // Beast takes a Transfer-Encoding that does not end in chunked as "no body".
  const auto& head = parser_->get();
  if (head.find(http::field::transfer_encoding) != head.end() && !parser_->chunked()) {
    return refuse_broken(http::make_error_code(http::error::bad_transfer_encoding));
  }
  if (beast::iequals(head[http::field::expect], "100-continue") && !parser_->is_done()) return send_continue();
  read_body();
}

void Session::send_continue() {
  static constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";
  asio::async_write(stream_, asio::buffer(kContinue), [self = shared_from_this()](const IoError& error, std::size_t) {
    if (error) return self->close();
    self->read_body();
  });
}

void Session::read_body() {
  if (state_ != State::Reading) return;
  http::async_read(stream_, buffer_, *parser_,
                   [self = shared_from_this()](const IoError& error, std::size_t) { self->on_request(error); });
}

void Session::on_request(const IoError& error) {
  if (state_ != State::Reading) return;
  if (error) return refuse_broken(error);
  http::request<http::string_body> message = parser_->release();
  keep_alive_ = message.keep_alive();
  version_ = message.version();
  request_ = {};
  request_.method = message.method_string();
  request_.target = message.target();
  for (const auto& field : message) {
    request_.fields.push_back({std::string(field.name_string()), std::string(field.value())});
  }
  request_.body = std::move(message.body());
  answer_request();
}

/// Where the next request would begin is unknown: one answer, and the end.
void Session::refuse_broken(const IoError& error) {
  keep_alive_ = false;
  head_only_ = false;
  unread_ = true;
  if (error == http::error::body_limit) {
    return write(error_response(ErrorCode::TooLarge,
                                "the body is larger than " + std::to_string(limits_.body_bytes) + " bytes"));
  }
  if (error == http::error::header_limit || error == http::error::buffer_overflow) {
    Response response =
        error_response(ErrorCode::TooLarge, "the head is larger than " + std::to_string(limits_.head_bytes) + " bytes");
    response.status = 431;
    return write(std::move(response));
  }
  const bool spoke_http_badly = error.category() == http::make_error_code(http::error::bad_method).category() &&
                                error != http::error::end_of_stream && error != http::error::partial_message;
  if (!spoke_http_badly) return close();
  write(error_response(ErrorCode::Invalid, "this is not HTTP/1.1: " + error.message()));
}

// --- the answer

void Session::answer_request() {
  state_ = State::Answering;
  stream_.expires_never();
  head_only_ = request_.method == "HEAD";
  const std::uint64_t serial = ++serial_;
  patience_.expires_after(limits_.answer);
  patience_.async_wait([weak = weak_from_this(), serial](const IoError& error) {
    const auto self = weak.lock();
    if (error || !self || self->state_ != State::Answering || self->serial_ != serial) return;
    self->write(error_response(ErrorCode::Unavailable,
                               "no answer in time; the decision may still come into force: look at the status"));
  });
  // Weak: the engine may keep the answer longer than the server, and its io_context, live.
  handler_.handle(request_, [weak = weak_from_this(), serial](Response response) {
    const auto self = weak.lock();
    if (self && self->state_ == State::Answering && self->serial_ == serial) self->write(std::move(response));
  });
}

void Session::write(Response response) {
  state_ = State::Writing;
  patience_.cancel();
  if (ending_ || last_) keep_alive_ = false;
  response_.emplace(static_cast<http::status>(response.status), version_);
  response_->set(http::field::content_type, response.content_type);
  response_->set(http::field::cache_control, "no-store");
  response_->set("X-Content-Type-Options", "nosniff");
  for (const Field& field : response.fields) response_->set(field.name, field.value);
  response_->keep_alive(keep_alive_);
  response_->content_length(response.body.size());
  if (!head_only_) response_->body() = std::move(response.body);
  stream_.expires_after(limits_.idle);
  http::async_write(stream_, *response_,
                    [self = shared_from_this()](const IoError& error, std::size_t) { self->on_written(error); });
}

void Session::on_written(const IoError& error) {
  if (state_ != State::Writing) return;
  response_.reset();
  if (!error && !ending_ && (unread_ || (stream_.is_tls() && !keep_alive_))) return linger();
  if (error || !keep_alive_ || ending_) return close();
  read_head();
}

/// The client may still be sending (a body that is too large). A plain close would reset the connection, and the client
/// might never see why; so what comes is read and thrown away for a moment. Over TLS the end is said (close_notify), or the
/// client could not tell it from one that somebody else made.
void Session::linger() {
  state_ = State::Lingering;
  since_ = Clock::now();
  stream_.expires_after(limits_.farewell);
  if (!stream_.is_tls()) return leave();
  stream_.async_goodbye([self = shared_from_this()](const IoError&) {  // an error: the client sends more
    if (self->state_ != State::Lingering) return;
    self->stream_.give_up_tls();
    self->leave();
  });
}

void Session::leave() {
  stream_.shutdown_send();
  discard();
}

void Session::discard() {
  stream_.async_read_some(asio::buffer(discarded_), [self = shared_from_this()](const IoError& error, std::size_t) {
    if (self->state_ != State::Lingering) return;
    if (error) return self->close();
    self->discard();
  });
}

void Session::close() {
  if (state_ == State::Gone) return;
  state_ = State::Gone;
  patience_.cancel();
  stream_.close();
  gone_(shared_from_this());
}

}  // namespace tidegate::admin
