#include "forward/tunnel.h"

#include <utility>

namespace tidegate::forward {

namespace {
constexpr Duration kFarewell = std::chrono::seconds(2);  // to answer a Close frame, or to follow the end of the other direction
}

Tunnel::Tunnel(End client, End upstream, Duration idle, bool websocket)
    : client_(client), upstream_(upstream), idle_(idle), websocket_(websocket), clock_(&Tunnel::looked, this) {}

Task<TunnelEnd> Tunnel::run() {
  watch();
  upward_ = carry_up();
  upward_.start();
  co_await carry_down();
  co_await upward_.join();
  upward_.destroy();
  clock_.disarm();
  co_return why_;
}

/// The first reason counts; both directions end. Where one had ended before, whoever awaits the tunnel is resumed in here and
/// takes it down; the streams live until the turn's end.
void Tunnel::end(TunnelEnd why) {
  if (ended_) return;
  ended_ = true;
  why_ = why;
  net::ByteStream& client = client_.stream;
  net::ByteStream& upstream = upstream_.stream;
  client.cancel();
  upstream.cancel();
}

void Tunnel::cancel() { end(TunnelEnd::Canceled); }

void Tunnel::leave() {
  if (leaving_ || ended_) return;
  if (!websocket_) return end(TunnelEnd::Asked);
  leaving_ = true;
  client_.stream.reactor().arm(clock_, kFarewell);
  if (frames_.between()) upstream_.stream.cancel_read();  // nothing may come for a long time
}

// --- the clock

void Tunnel::half_closed() {
  if (!websocket_ || leaving_ || ended_) return;
  closing_ = true;
  client_.stream.reactor().arm(clock_, kFarewell);
}

void Tunnel::watch() {
  if (leaving_) return;
  if (idle_ > Duration::zero()) client_.stream.reactor().arm(clock_, idle_);
}

void Tunnel::looked(void* self) {
  auto* tunnel = static_cast<Tunnel*>(self);
  if (tunnel->leaving_) return tunnel->end(TunnelEnd::Asked);
  if (tunnel->closing_) return tunnel->end(TunnelEnd::Closed);
  const std::uint64_t now = tunnel->up_.bytes + tunnel->down_.bytes;
  if (now == std::exchange(tunnel->seen_, now)) return tunnel->end(TunnelEnd::Idle);
  tunnel->watch();
}

// --- the directions

/// @return false when the direction is over.
Task<bool> Tunnel::pass(End& from, End& to, Direction& direction, std::string_view bytes) {
  const iovec part{const_cast<char*>(bytes.data()), bytes.size()};
  const net::IoResult sent = co_await to.stream.send({&part, 1}, idle_);
  direction.bytes += sent.bytes;
  if (sent.status == net::IoStatus::Ok) co_return true;
  if (sent.status != net::IoStatus::Canceled) end(&from == &client_ ? TunnelEnd::UpstreamBroke : TunnelEnd::ClientBroke);
  co_return false;
}

/// Where the connection frames messages by itself the end is in frames before the stream is let go of: a reset would overtake it.
Task<> Tunnel::shut_down(End& end) {
  end.stream.shutdown_send();
  if (end.frames == nullptr) co_return;
  const std::span<const iovec> nothing;
  co_await end.stream.send(nothing, kFarewell);
}

Task<> Tunnel::carry_up() {
  for (;;) {
    if (!client_.received.empty()) {
      const bool passed = co_await pass(client_, upstream_, up_, client_.received.view());
      if (!passed) co_return;
      client_.received.clear();
    }
    const net::IoResult read = co_await client_.stream.read(client_.received, Duration::zero());
    if (read.status == net::IoStatus::Ok) continue;
    if (read.status == net::IoStatus::Eof) {
      up_.done = true;
      co_await shut_down(upstream_);
      if (down_.done || goodbye_said_) co_return end(goodbye_said_ ? TunnelEnd::Asked : TunnelEnd::Closed);
      co_return half_closed();
    }
    if (read.status != net::IoStatus::Canceled) end(TunnelEnd::ClientBroke);
    co_return;
  }
}

/// Between two frames, and never twice. @return false when the client cannot be told.
Task<bool> Tunnel::say_goodbye() {
  goodbye_said_ = true;
  co_return co_await pass(upstream_, client_, down_, http::kCloseToClient);
}

Task<> Tunnel::carry_down() {
  for (;;) {
    Buffer& received = upstream_.received;
    if (!received.empty()) {
      std::string_view bytes = received.view();
      if (websocket_ && !goodbye_said_) {
        const std::size_t whole = frames_.feed(bytes);
        if (leaving_ && whole > 0) bytes = bytes.substr(0, whole);
        const bool last = leaving_ && (whole > 0 || frames_.between());
        const bool passed = co_await pass(upstream_, client_, down_, bytes);
        if (!passed) co_return;
        if (last) {
          const bool said = co_await say_goodbye();
          if (!said) co_return;
        }
      } else if (!goodbye_said_) {
        const bool passed = co_await pass(upstream_, client_, down_, bytes);
        if (!passed) co_return;
      }
      received.clear();
    }
    if (leaving_ && !goodbye_said_ && frames_.between()) {
      const bool said = co_await say_goodbye();
      if (!said) co_return;
    }
    const net::IoResult read = co_await upstream_.stream.read(received, Duration::zero());
    if (read.status == net::IoStatus::Ok) continue;
    if (read.status == net::IoStatus::Canceled && leaving_ && !ended_) continue;
    if (read.status == net::IoStatus::Eof) {
      down_.done = true;
      co_await shut_down(client_);
      if (up_.done || goodbye_said_) co_return end(goodbye_said_ ? TunnelEnd::Asked : TunnelEnd::Closed);
      co_return half_closed();
    }
    if (read.status != net::IoStatus::Canceled) end(TunnelEnd::UpstreamBroke);
    co_return;
  }
}

}  // namespace tidegate::forward
