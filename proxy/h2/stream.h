// One stream of an HTTP/2 connection as a ByteStream with Frames: what an exchange reads and writes. The same for both ends:
// the server's, made for a request that arrived, and the client's, made to send one.
//
// What is received waits here until it is read, bounded by the stream's window: bytes count against it until a read has taken
// them, so a reader that is slow, because whoever it writes to is slow, stops the peer. A send is complete when all of it is in
// frames, which the peer's windows and the connection's socket allow.
//
// Owned by whoever serves or asks (forward/multiplex.h, upstream/shared_connection.h); the connection only refers to it. One
// worker's thread.
#pragma once

#include <cstdint>
#include <memory>

#include "base/buffer.h"
#include "base/intrusive_list.h"
#include "base/pooled.h"
#include "http/frames.h"
#include "http/h2_session.h"
#include "net/byte_stream.h"

namespace tidegate::h2 {

class Connection;

/// Streams about which the connection has something to tell, once the session is not busy.
struct NewsTag {};
/// Streams whose head waits until the peer has said what it offers.
struct UnsettledTag {};

class Stream final : public net::ByteStream, public http::Frames, public Link<NewsTag>, public Link<UnsettledTag> {
 public:
  explicit Stream(net::Reactor& reactor) noexcept;
  ~Stream() { close(http::H2Error::Cancel); }

  /// Server: belongs to this request of the connection. `ends`: it has no body.
  void accept(Connection& connection, std::int32_t id, bool ends);
  /// Client: will be a new stream of the connection with its first head. `scheme` must outlive it.
  void prepare(Connection& connection, std::string_view scheme);
  /// Leaves the connection. A stream that is not over yet is reset with that code.
  void close(http::H2Error code) noexcept;
  std::int32_t id() const noexcept { return id_; }
  /// Both directions came to an orderly end.
  bool complete() const noexcept { return over_ && !reset_; }

  // --- ByteStream
  void restart_read_timeout(Duration timeout) noexcept override;
  void cancel() noexcept override;
  void cancel_read() noexcept override;
  void shutdown_send() noexcept override;
  void on_hangup(void (*callback)(void*), void* context) noexcept override {
    hangup_ = callback;
    hangup_context_ = context;
  }
  bool ended() const noexcept override { return reset_; }
  bool broken() const noexcept override { return reset_; }
  bool at_end() noexcept override { return reset_; }
  void look_for_more() noexcept override {}
  /// What was begun in this turn may only wait for its end, when the connection sends: that says nothing of the peer.
  bool is_sending() const noexcept override { return sender_ != nullptr && sending_since_ != reactor_.now(); }
  std::int64_t taken() const noexcept override { return sender_ != nullptr ? static_cast<std::int64_t>(sender_->result.bytes) : 0; }

  // --- Frames
  bool send_head(Buffer& encoded, bool ends) override;
  void finish(const http::FieldList* trailers) override;
  bool take_head(http::ResponseHead& head) override;
  bool connection_lost() const noexcept override { return lost_; }
  bool has_data() const noexcept override { return !received_.empty(); }
  bool body_ended() const noexcept override { return end_received_ && !reset_ && received_.empty(); }
  const http::FieldList* trailers() const noexcept override { return trailers_ ? &trailers_->fields : nullptr; }
  bool unprocessed() const noexcept override { return unprocessed_; }
  bool unsent() const noexcept override { return unsent_; }
  std::string_view refusal() const noexcept override { return refusal_; }

 private:
  friend class Connection;

  struct Head : base::Pooled {
    Head(BlockPool& blocks) : bytes(blocks, BlockSize::Small) {}
    Buffer bytes;
    http::ResponseHead head;
    std::unique_ptr<Head> next;
  };
  struct Trailers : base::Pooled {
    Trailers(BlockPool& blocks) : bytes(blocks, BlockSize::Small) {}
    Buffer bytes;
    http::FieldList fields;
  };

  // told by the connection
  void take_response(http::ResponseHead& head, Buffer& bytes, bool ends);
  void take_data(std::string_view data);
  void take_trailers(http::FieldList& fields, Buffer& bytes);
  void take_end() noexcept;
  void take_closed(http::H2Error code, bool by_peer, bool unprocessed) noexcept;
  http::H2Pulled pull(char* to, std::size_t most) noexcept;
  void settings_known();
  /// Resumes one of those who wait, if there is reason to; it may end the stream.
  void step();
  /// Everything that was handed over is in frames.
  void flushed() noexcept;

  bool attempt(ReadOp& op) noexcept override;
  bool attempt(SendOp& op) noexcept override;
  void wait(ReadOp& op, std::coroutine_handle<> handle) noexcept override;
  void wait(SendOp& op, std::coroutine_handle<> handle) noexcept override;
  void finish_read(net::IoStatus status) noexcept;
  void finish_send(net::IoStatus status) noexcept;
  void give(ReadOp& op);
  bool send_request(Buffer& encoded, bool ends);
  void news() noexcept;
  static void read_expired(void* self);
  static void send_expired(void* self);

  Connection* connection_ = nullptr;
  std::int32_t id_ = -1;
  std::string_view scheme_;
  std::string_view refusal_;
  std::unique_ptr<Buffer> held_;             // a head that waits for the peer's settings
  Buffer received_;
  std::unique_ptr<Head> heads_;              // not taken yet, client only: the first of few
  std::unique_ptr<Head> head_;               // the one that was taken last
  std::unique_ptr<Trailers> trailers_;
  bool end_received_ = false;
  bool head_sent_ = false;    // the final one
  bool ends_with_head_ = false;
  bool ends_with_trailers_ = false;
  bool tunnel_ = false;       // of ours (RFC 8441)
  bool finishing_ = false;
  bool over_ = false;
  bool reset_ = false;
  bool unprocessed_ = false;
  bool unsent_ = false;
  bool lost_ = false;         // the connection ended, not the stream
  bool canceled_ = false;
  bool send_done_ = false;
  ReadOp* reader_ = nullptr;
  SendOp* sender_ = nullptr;
  TimePoint sending_since_{};
  void (*hangup_)(void*) = nullptr;
  void* hangup_context_ = nullptr;
  net::Timer read_timer_;
  net::Timer send_timer_;
};

}  // namespace tidegate::h2
