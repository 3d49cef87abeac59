#include "h2/connection.h"

#include <utility>

namespace tidegate::h2 {

namespace {
// Bytes in frames that wait for the socket: what a block holds. More when the last time filled it.
constexpr std::size_t kOutput = bytes_of(BlockSize::Medium) - 1024;
constexpr std::size_t kLargeOutput = bytes_of(BlockSize::Large) - 20 * 1024;  // a frame may be over
}

struct Connection::Wake {
  Connection& connection;
  bool await_ready() const noexcept { return connection.ending_; }
  void await_suspend(std::coroutine_handle<> handle) const noexcept { connection.writer_waits_ = handle; }
  void await_resume() const noexcept {}
};

Connection::Connection(net::Stream& socket, http::H2Role role, const Limits& limits, Owner& owner)
    : socket_(socket),
      role_(role),
      limits_(limits),
      owner_(owner),
      session_(role, limits.session, *this, socket.reactor().blocks(), socket.reactor().now()),
      scratch_(socket.reactor().blocks(), BlockSize::Small),
      out_(socket.reactor().blocks()),
      silence_(&Connection::silent, this),
      head_clock_(&Connection::head_is_late, this),
      heard_at_(socket.reactor().now()),
      received_at_(heard_at_) {}

Connection::~Connection() = default;

// --- the connection's life

Task<> Connection::run(Buffer& received) {
  writer_ = write();
  writer_.start();
  watch();
  co_await read(received);
  if (failure_.empty()) failure_ = session_.refusal();
  if (role_ == http::H2Role::Client && !session_.refusal().empty()) wake_writer();  // the server is told why, and nothing else
  closing_ = ending_ = true;
  silence_.disarm();
  head_clock_.disarm();
  end_streams();
  owner_.on_capacity();
  wake_writer();
  co_await writer_.join();
  writer_.destroy();
  TurnEnd::unlink();
}

Task<> Connection::read(Buffer& received) {
  net::Expect expected = net::Expect::Little;
  for (;;) {
    if (!received.empty()) {
      heard_at_ = received_at_ = reactor().now();
      const bool goes_on = session_.feed(received.view(), heard_at_);
      expected = received.free_bytes() == 0 ? net::Expect::Much : net::Expect::Little;
      received.clear();
      look_at_head();
      owner_.after_input();
      settle();
      if (!goes_on) co_return;
      flush();
    }
    if (session_.is_over() || ending_) co_return;
    const net::IoResult result = co_await socket_.read(received, Duration::zero(), expected);
    if (result.status != net::IoStatus::Ok) co_return;
  }
}

/// Ends when everything was sent that a connection at its end still has to say, or nothing can be sent.
Task<> Connection::write() {
  for (;;) {
    // The server has gone: what was not sent is not, for whoever asked is told that it can be asked elsewhere.
    if (ending_ && role_ == http::H2Role::Client) break;
    if (busy_) out_.prefer_large();
    const bool large = busy_ && out_.capacity() >= bytes_of(BlockSize::Large);
    session_.produce(out_, large ? kLargeOutput : kOutput);
    busy_ = out_.size() >= kOutput;
    settle();
    if (out_.empty()) {
      if (!ending_ && session_.is_over()) socket_.cancel_read();
      if (ending_) break;
      Wake wake{*this};
      co_await wake;
      continue;
    }
    const iovec part{out_.data(), out_.size()};
    left_ += out_.size();  // for whoever asks before it is known
    const net::IoResult sent = co_await socket_.send({&part, 1}, limits_.write_timeout);
    left_ -= out_.size() - sent.bytes;
    out_.clear();
    if (!session_.wants_to_send()) out_.release();
    if (sent.status != net::IoStatus::Ok) {
      stop_sending(sent.status);
      break;
    }
  }
}

/// A server that has gone may have answered before. Its end lies behind the answers, so nobody waits for it; should it not come,
/// the time for a PING's answer bounds it.
void Connection::stop_sending(net::IoStatus why) {
  if (role_ == http::H2Role::Client && why == net::IoStatus::Reset && !ending_) {
    closing_ = unheard_ = true;
    reactor().arm(silence_, limits_.ping_timeout);
    return owner_.on_capacity();
  }
  ending_ = true;
  socket_.cancel();  // nothing more can be said
}

void Connection::wake_writer() {
  if (writer_waits_) std::exchange(writer_waits_, {}).resume();
}

void Connection::on_turn_end() {
  settle();
  if (session_.wants_to_send() || session_.is_over()) wake_writer();
}

/// Tells the streams, one after the other: each may end itself, another, or the connection's owner's interest.
void Connection::settle() {
  while (Stream* stream = news_.pop_front()) stream->step();
}

void Connection::end_streams() {
  for (const auto& [id, stream] : streams_) {
    stream->lost_ = true;
    if (stream->over_) continue;
    stream->unsent_ = role_ == http::H2Role::Client && session_.is_unsent(id, left_);
    stream->take_closed(http::H2Error::Cancel, true, false);
  }
  while (Stream* stream = unsettled_.pop_front()) {
    stream->unsent_ = true;
    stream->take_closed(http::H2Error::Cancel, true, true);
  }
  settle();
  for (const auto& [id, stream] : streams_) stream->connection_ = nullptr;
  streams_.clear();
}

void Connection::announce_goaway() {
  session_.announce_goaway();
  flush();
}

void Connection::goaway() {
  closing_ = true;
  goaway_waits_ = lent_ > 0;
  if (goaway_waits_) return;
  session_.goaway();
  flush();
}

void Connection::cut_off() { socket_.cancel(); }

// --- silence

void Connection::watch() noexcept {
  if (unheard_) return;
  if (!streams_.empty()) {
    if (limits_.ping_after == Duration::zero()) return;
    const Duration left = limits_.ping_after - (reactor().now() - heard_at_);  // it may have said something since the timer was set
    reactor().arm(silence_, awaiting_pong_ ? limits_.ping_timeout : left > Duration::zero() ? left : limits_.ping_after);
  } else if (limits_.idle > Duration::zero()) {
    reactor().arm(silence_, limits_.idle);
  }
}

/// Clients may be asked as often as they are silent.
Duration Connection::until_ping() const noexcept {
  return pinged_ && role_ == http::H2Role::Client ? limits_.ping_again : limits_.ping_after;
}

/// Idle: a farewell. Otherwise a question, and without an answer the end.
void Connection::silent(void* self) {
  auto* connection = static_cast<Connection*>(self);
  const Duration quiet = connection->reactor().now() - connection->heard_at_;
  if (connection->unheard_) return connection->socket_.cancel();
  if (connection->streams_.empty()) return connection->goaway();  // armed when the last stream ended; waits for whoever begins one now
  if (connection->awaiting_pong_ && quiet >= connection->limits_.ping_timeout) {
    connection->failure_ = "the peer does not answer a PING";
    return connection->socket_.cancel();
  } else if (!connection->awaiting_pong_ && quiet >= connection->until_ping()) {
    connection->awaiting_pong_ = connection->pinged_ = true;
    connection->session_.ping();
    connection->flush();
  }
  connection->watch();
}

void Connection::look_at_head() {
  if (!session_.is_in_head()) return head_clock_.disarm();
  if (!head_clock_.armed() && limits_.header > Duration::zero()) reactor().arm(head_clock_, limits_.header);
}

void Connection::head_is_late(void* self) {
  auto* connection = static_cast<Connection*>(self);
  connection->session_.end(http::H2Error::EnhanceYourCalm, "a head did not come in time");
  connection->flush();
}

// --- streams

Stream* Connection::find(std::int32_t id) noexcept {
  const auto found = streams_.find(id);
  return found == streams_.end() ? nullptr : found->second;
}

void Connection::attach(std::int32_t id, Stream& stream) {
  streams_.emplace(id, &stream);
  if (streams_.size() == 1) {
    heard_at_ = reactor().now();
    watch();
  }
}

void Connection::detach(Stream& stream) noexcept {
  streams_.erase(stream.id());
  if (streams_.empty() && !ending_) {
    awaiting_pong_ = false;
    watch();
  }
}

void Connection::give_back() noexcept {
  if (--lent_ == 0 && goaway_waits_ && !ending_) goaway();
}

// --- what the session tells

void Connection::on_request(std::int32_t stream, http::RequestHead& head, Buffer& bytes, bool ends) {
  owner_.on_request(stream, head, bytes, ends);
}

void Connection::on_refused(std::int32_t stream, const http::Refusal& refusal) { owner_.on_refused(stream, refusal); }

void Connection::on_response(std::int32_t stream, http::ResponseHead& head, Buffer& bytes, bool ends) {
  pinged_ = false;
  if (Stream* to = find(stream)) to->take_response(head, bytes, ends);
}

void Connection::on_data(std::int32_t stream, std::string_view data) {
  pinged_ = false;
  if (Stream* to = find(stream)) to->take_data(data);
}

void Connection::on_trailers(std::int32_t stream, http::FieldList& fields, Buffer& bytes) {
  pinged_ = false;
  if (Stream* to = find(stream)) to->take_trailers(fields, bytes);
}

void Connection::on_end(std::int32_t stream) {
  pinged_ = false;
  if (Stream* to = find(stream)) to->take_end();
}

http::H2Pulled Connection::pull(std::int32_t stream, char* to, std::size_t most) {
  Stream* from = find(stream);
  return from != nullptr ? from->pull(to, most) : http::H2Pulled{0, false};  // who left has not said that this was all
}

void Connection::on_closed(std::int32_t stream, http::H2Error code, bool by_peer, bool unprocessed) {
  if (Stream* to = find(stream)) to->take_closed(code, by_peer, unprocessed);
  owner_.on_capacity();
}

void Connection::on_sent_end(std::int32_t stream) {
  if (Stream* of = find(stream)) of->flushed();
}

void Connection::on_settings() {
  while (Stream* stream = unsettled_.pop_front()) stream->settings_known();
}

void Connection::on_goaway() {
  closing_ = true;
  owner_.on_capacity();
}

}  // namespace tidegate::h2
