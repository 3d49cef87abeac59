#include "h2/stream.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "h2/connection.h"
#include "http/limits.h"

namespace tidegate::h2 {

using net::IoStatus;

Stream::Stream(net::Reactor& reactor) noexcept
    : ByteStream(reactor),
      received_(reactor.blocks()),
      read_timer_(&Stream::read_expired, this),
      send_timer_(&Stream::send_expired, this) {}

void Stream::accept(Connection& connection, std::int32_t id, bool ends) {
  connection_ = &connection;
  id_ = id;
  end_received_ = ends;
  connection.attach(id, *this);
}

void Stream::prepare(Connection& connection, std::string_view scheme) {
  connection_ = &connection;
  scheme_ = scheme;
  connection.lend();
}

void Stream::close(http::H2Error code) noexcept {
  read_timer_.disarm();
  send_timer_.disarm();
  hangup_ = nullptr;
  Link<NewsTag>::unlink();
  Link<UnsettledTag>::unlink();
  if (connection_ == nullptr) return;
  Connection& connection = *std::exchange(connection_, nullptr);
  if (id_ < 0) return connection.give_back();
  received_.release();
  if (!over_) connection.session().reset(id_, code);
  connection.detach(*this);
  if (!scheme_.empty()) connection.give_back();
  connection.flush();
}

void Stream::news() noexcept {
  if (connection_ != nullptr) connection_->has_news(*this);
}

// --- what the connection tells

void Stream::take_response(http::ResponseHead& head, Buffer& bytes, bool ends) {
  int waiting = 0;
  std::unique_ptr<Head>* last = &heads_;
  for (; *last != nullptr; last = &(*last)->next) ++waiting;
  if (waiting > http::kInformationalResponses) {
    connection_->session().reset(id_, http::H2Error::EnhanceYourCalm);
    return take_closed(http::H2Error::EnhanceYourCalm, false, false);
  }
  *last = std::make_unique<Head>(reactor_.blocks());
  (*last)->bytes.swap(bytes);
  (*last)->head = head;
  if (ends) end_received_ = true;
  news();
}

void Stream::take_data(std::string_view data) {
  received_.append(data);
  news();
}

void Stream::take_trailers(http::FieldList& fields, Buffer& bytes) {
  trailers_ = std::make_unique<Trailers>(reactor_.blocks());
  trailers_->bytes.swap(bytes);
  trailers_->fields = fields;
}

void Stream::take_end() noexcept {
  end_received_ = true;
  news();
}

void Stream::take_closed(http::H2Error code, bool by_peer, bool unprocessed) noexcept {
  over_ = true;
  // The peer may say that it does not want the rest of a request that it has answered (RFC 9113 §8.1): no failure. Servers say so
  // with other codes than the RFC's as well, and what they have answered is whole.
  const bool is_answered = !scheme_.empty() && !tunnel_ && by_peer && end_received_;
  reset_ = !is_answered && (code != http::H2Error::NoError || (by_peer && !end_received_));
  unprocessed_ = unprocessed && reset_;
  news();
}

http::H2Pulled Stream::pull(char* to, std::size_t most) noexcept {
  http::H2Pulled out;
  if (sender_ != nullptr && !send_done_) {
    SendOp& op = *sender_;
    while (op.first < op.count && out.bytes < most) {
      iovec& part = op.parts[op.first];
      const std::size_t take = std::min(part.iov_len, most - out.bytes);
      std::memcpy(to + out.bytes, part.iov_base, take);
      out.bytes += take;
      part.iov_base = static_cast<char*>(part.iov_base) + take;
      part.iov_len -= take;
      if (part.iov_len == 0) ++op.first;
    }
    op.result.bytes += out.bytes;
    if (op.first < op.count) {
      if (out.bytes > 0 && op.timeout > Duration::zero()) reactor_.arm(send_timer_, op.timeout);
      return out;
    }
    if (ends_with_trailers_) {
      if (op.timeout > Duration::zero()) reactor_.arm(send_timer_, op.timeout);
    } else {
      send_done_ = true;
      news();
    }
  }
  out.last = finishing_;
  return out;
}

void Stream::flushed() noexcept {
  if (sender_ == nullptr || send_done_ || !(ends_with_head_ || ends_with_trailers_)) return;
  send_done_ = true;
  news();
}

void Stream::step() {
  if (sender_ != nullptr && (send_done_ || over_)) {
    const bool sent = send_done_ || (!reset_ && sender_->count == 0);
    const IoStatus status = sent ? IoStatus::Ok : IoStatus::Reset;
    if (reader_ != nullptr || reset_) news();
    return finish_send(status);
  }
  if (reader_ != nullptr) {
    if (!attempt(*reader_)) return;
    if (reset_) news();
    return finish_read(reader_->result.status);
  }
  if (reset_ && hangup_ != nullptr) std::exchange(hangup_, nullptr)(hangup_context_);
}

// --- reading

void Stream::give(ReadOp& op) {
  std::size_t taken = received_.size();
  if (op.buffer != nullptr && op.buffer->empty()) {
    op.buffer->release();
    op.buffer->swap(received_);
    received_.release();
  } else if (op.buffer != nullptr) {
    op.buffer->append(received_.view());
    received_.release();
  } else {
    taken = std::min(taken, op.size);
    std::memcpy(op.data, received_.data(), taken);
    received_.consume(taken);
  }
  op.result = {IoStatus::Ok, taken};
  if (connection_ == nullptr) return;
  connection_->session().consumed(id_, taken);
  connection_->flush();
}

bool Stream::attempt(ReadOp& op) noexcept {
  const bool only_waits = op.buffer == nullptr && op.data == nullptr && op.pipe == nullptr;
  if (canceled_) {
    op.result.status = IoStatus::Canceled;
  } else if (op.pipe != nullptr) {
    op.result.status = IoStatus::NotSpliced;
  } else if (only_waits && heads_ != nullptr) {
    op.result.status = IoStatus::Ok;
  } else if (!received_.empty()) {
    if (!only_waits) give(op);
  } else if (end_received_ && !reset_) {
    op.result.status = IoStatus::Eof;
  } else if (over_ || connection_ == nullptr) {
    op.result.status = IoStatus::Reset;
  } else {
    return false;
  }
  return true;
}

void Stream::wait(ReadOp& op, std::coroutine_handle<> handle) noexcept {
  op.waiting = handle;
  reader_ = &op;
  if (op.buffer != nullptr && op.buffer->empty()) op.buffer->release();
  if (op.timeout > Duration::zero()) reactor_.arm(read_timer_, op.timeout);
}

void Stream::finish_read(IoStatus status) noexcept {
  ReadOp* op = std::exchange(reader_, nullptr);
  read_timer_.disarm();
  op->result.status = status;
  op->waiting.resume();
}

void Stream::read_expired(void* self) {
  auto* stream = static_cast<Stream*>(self);
  if (stream->reader_ != nullptr) stream->finish_read(IoStatus::TimedOut);
}

void Stream::restart_read_timeout(Duration timeout) noexcept {
  if (reader_ != nullptr && timeout > Duration::zero()) reactor_.arm(read_timer_, timeout);
}

// --- sending

bool Stream::send_head(Buffer& encoded, bool ends) {
  if (connection_ == nullptr || reset_ || canceled_) return false;
  if (!scheme_.empty()) return send_request(encoded, ends);
  http::H2Session& session = connection_->session();
  http::H2Fields& fields = connection_->fields();
  connection_->flush();
  fields.assign_response(encoded);
  if (fields.status() < 200) return session.inform(id_, fields.status(), fields.view());
  ends_with_head_ = ends;
  head_sent_ = true;
  return session.respond(id_, fields.status(), fields.view(), ends);
}

/// What the peer must have offered waits until that is known (RFC 8441 §3).
bool Stream::send_request(Buffer& encoded, bool ends) {
  if (!connection_->takes_heads()) {
    over_ = reset_ = unprocessed_ = unsent_ = true;
    return false;
  }
  http::H2Session& session = connection_->session();
  http::H2Fields& fields = connection_->fields();
  fields.assign_request(encoded, scheme_);
  if (fields.is_extended_connect()) {
    tunnel_ = true;
    if (!session.knows_peer()) {
      held_ = std::make_unique<Buffer>(reactor_.blocks(), BlockSize::Small);
      held_->swap(encoded);
      connection_->await_settings(*this);
      return true;
    }
    if (!session.peer_takes_connect_protocol()) {
      refusal_ = "the upstream does not offer Upgrade over HTTP/2";
      over_ = reset_ = true;
      news();
      return true;
    }
  }
  connection_->flush();
  ends_with_head_ = ends;
  head_sent_ = true;
  id_ = session.request(fields.view(), ends);
  if (id_ >= 0) {
    connection_->attach(id_, *this);
    return true;
  }
  over_ = reset_ = unprocessed_ = true;
  return false;
}

void Stream::settings_known() {
  const std::unique_ptr<Buffer> head = std::move(held_);
  if (!send_request(*head, false)) news();
}

void Stream::finish(const http::FieldList* trailers) {
  finishing_ = true;
  if (trailers == nullptr || connection_ == nullptr || over_) return;
  http::H2Fields& fields = connection_->fields();
  fields.assign_trailers(*trailers, connection_->scratch());
  if (fields.view().empty()) return;
  ends_with_trailers_ = true;  // whoever sends waits for them as well: a reset of the stream would overtake them
  connection_->session().trailers(id_, fields.view());
}

bool Stream::take_head(http::ResponseHead& head) {
  if (heads_ == nullptr) return false;
  head_ = std::move(heads_);
  heads_ = std::move(head_->next);
  head = head_->head;
  return true;
}

bool Stream::attempt(SendOp& op) noexcept {
  if (canceled_) {
    op.result.status = IoStatus::Canceled;
    return true;
  }
  if (reset_ || connection_ == nullptr) {
    op.result.status = IoStatus::Reset;
    return true;
  }
  if (op.pipe != nullptr) {
    op.result.status = IoStatus::NotSpliced;
    return true;
  }
  if (over_ && op.count > 0) op.result.status = IoStatus::Reset;  // nobody wants it any more
  return over_;
}

void Stream::wait(SendOp& op, std::coroutine_handle<> handle) noexcept {
  op.waiting = handle;
  sender_ = &op;
  sending_since_ = reactor_.now();
  send_done_ = false;
  if (op.timeout > Duration::zero()) reactor_.arm(send_timer_, op.timeout);
  if (!ends_with_head_) connection_->session().resume(id_);
  connection_->flush();
}

void Stream::finish_send(IoStatus status) noexcept {
  SendOp* op = std::exchange(sender_, nullptr);
  send_timer_.disarm();
  if (status != IoStatus::Ok) finishing_ = false;  // what was to be the end is not whole
  op->result.status = status;
  op->waiting.resume();
}

void Stream::send_expired(void* self) {
  auto* stream = static_cast<Stream*>(self);
  if (stream->sender_ != nullptr) stream->finish_send(IoStatus::TimedOut);
}

// --- ends

void Stream::shutdown_send() noexcept {
  finishing_ = true;
  if (connection_ == nullptr || over_ || id_ < 0) return;
  connection_->session().resume(id_);
  connection_->flush();
}

void Stream::cancel() noexcept {
  if (canceled_) return;
  canceled_ = true;
  if (sender_ != nullptr) {
    if (reader_ != nullptr) news();  // told by the connection: this one may be gone after the first
    return finish_send(IoStatus::Canceled);
  }
  if (reader_ != nullptr) finish_read(IoStatus::Canceled);
}

void Stream::cancel_read() noexcept {
  if (reader_ != nullptr) finish_read(IoStatus::Canceled);
}

}  // namespace tidegate::h2
