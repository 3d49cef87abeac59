// The part of Session that comes before the first request on a TLS listener.
#include "forward/listener_tls.h"
#include "forward/rewrite.h"
#include "forward/session.h"
#include "forward/worker.h"
#include "net/tls_layer.h"
#include "observe/log.h"

namespace tidegate::forward {

namespace {

/// As Envoy writes it: the certificate's SHA-256 and its subject (RFC 2253).
std::string forwarded_certificate(const net::TlsLayer& tls) {
  const std::string fingerprint = tls.peer_fingerprint();
  if (fingerprint.empty()) return {};
  return "Hash=" + fingerprint + ";Subject=\"" + tls.peer_subject() + "\"";
}

}  // namespace

/// A client that sends nothing costs nothing but its descriptor. @return false when the connection is not to be served.
Task<bool> Session::secure() {
  ListenerTls& listener = *policy_.tls;
  const TimePoint deadline = worker_.reactor.now() + policy_.tls_handshake_timeout;
  net::TlsResult result = net::TlsResult::Ok;
  if (received_.empty()) {
    const net::IoResult ready = co_await stream_.readable(policy_.tls_handshake_timeout);
    if (ready.status == net::IoStatus::TimedOut) result = net::TlsResult::Timeout;
    if (ready.status == net::IoStatus::Canceled) result = net::TlsResult::Canceled;
  }
  std::unique_ptr<net::TlsLayer> layer;
  if (result == net::TlsResult::Ok) layer = net::TlsLayer::accept(worker_.reactor.blocks(), listener.context, received_.view());
  received_.release();
  if (layer == nullptr) {
    listener.counters->count(result == net::TlsResult::Ok ? net::TlsResult::Protocol : result);
    co_return false;
  }
  stream_.secure_with(std::move(layer));
  const Duration left = std::max<Duration>(deadline - worker_.reactor.now(), net::TimerWheel::kTick);
  const net::IoStatus status = co_await stream_.handshake(left, &listener.rate);
  const net::TlsLayer& tls = *stream_.tls();
  result = tls.result();
  if (status == net::IoStatus::Ok && !tls.peer_certificate_is_current()) result = net::TlsResult::BadCertificate;
  listener.counters->count(result);
  if (result == net::TlsResult::Ok) {
    if (tls.resumed()) listener.counters->resumed.add();
    client_certificate_ = forwarded_certificate(tls);
    decoder_.set_scheme("https");
    co_return true;
  }
  if (result != net::TlsResult::Canceled && result != net::TlsResult::Closed) {
    observe::log_debug("TLS with " + peer_with_port() + ": " + tls.failure());
  }
  if (result == net::TlsResult::Plain) co_await tell_to_use_tls();
  co_return false;
}

/// As NGINX and Envoy do: who types http:// with the wrong port sees why. No request is counted.
Task<> Session::tell_to_use_tls() {
  stream_.leave_tls();
  Buffer message(worker_.reactor.blocks(), BlockSize::Small);
  constexpr std::string_view kText = "this port expects TLS: use https://";
  encode_local_reply(message, 400, kText, true, worker_.date.text(worker_.reactor.now()));
  message.append(kText);
  message.append("\n");
  const iovec part{message.data(), message.size()};
  const net::IoResult sent = co_await stream_.send({&part, 1}, policy_.tls_handshake_timeout);
  if (sent.status != net::IoStatus::Ok) co_return;
  co_await take_leave();
}

}  // namespace tidegate::forward
