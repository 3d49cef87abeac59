// An HTTP/2 connection on a socket: reads bytes into the session, tells the streams what came, and sends what they hand over,
// once a turn of the worker, in few system calls. The streams of a turn are told after the session is done with the bytes, so
// that whoever they resume finds it at rest.
//
// Output waits in one block and nothing more is made while the socket is full, so a peer that does not read costs the block
// and its streams' windows.
//
// A server that has gone may have answered before: when nothing more can be sent to it, what it has sent is still read. Which
// heads have left, be it in part, is known to the byte; the others' requests can be sent elsewhere, whatever they are.
//
// Not here: what requests mean. Owned by a session or an upstream pool; one worker's thread.
#pragma once

#include <boost/unordered/unordered_flat_map.hpp>
#include <coroutine>
#include <cstdint>
#include <string_view>

#include "base/buffer.h"
#include "base/intrusive_list.h"
#include "base/task.h"
#include "h2/stream.h"
#include "http/h2_fields.h"
#include "http/h2_session.h"
#include "net/reactor.h"
#include "net/stream.h"

namespace tidegate::h2 {

struct Limits {
  http::H2Limits session;
  Duration idle = std::chrono::seconds(60);          ///< without a stream, whatever else comes; then GOAWAY. Zero: for ever
  Duration header = std::chrono::seconds(10);        ///< for a field section, from its first byte. Zero: no limit
  Duration write_timeout = std::chrono::seconds(30); ///< without progress while there is something to send
  Duration ping_after = std::chrono::seconds(30);    ///< of silence while streams are open: is the peer still there?
  Duration ping_timeout = std::chrono::seconds(10);
  /// After a PING that was all that came, the next one: servers of gRPC take PINGs without data for abuse when they come more often
  /// than every 5 min (gRPC's A8, "too_many_pings").
  Duration ping_again = std::chrono::seconds(330);
};

/// What the owner is told.
class Owner {
 public:
  /// Server: from inside the session: nothing may be resumed before after_input(). The owner calls Stream::accept() on a stream
  /// of its own. `head` and `bytes` may be swapped.
  virtual void on_request(std::int32_t stream, http::RequestHead& head, Buffer& bytes, bool ends) = 0;
  virtual void on_refused(std::int32_t stream, const http::Refusal& refusal) = 0;
  /// What came was taken in: the exchanges of new requests may begin.
  virtual void after_input() = 0;
  /// Client: a stream is over, or more are allowed, or none from now on.
  virtual void on_capacity() = 0;

 protected:
  ~Owner() = default;
};

class Connection final : private http::H2Events, private net::TurnEnd {
 public:
  Connection(net::Stream& socket, http::H2Role role, const Limits& limits, Owner& owner);
  /// When the peer said something last; at first when the connection began.
  TimePoint received_at() const noexcept { return received_at_; }
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;
  ~Connection();

  /// Reads and writes until the connection is over; `received`: what was read from the socket before. The socket is still open
  /// when it ends; every stream has been told that it is over.
  Task<> run(Buffer& received);

  /// No new requests, please; then: none from now on, and an end once the streams are over (RFC 9113 §6.8). A client's GOAWAY waits
  /// for the streams that are lent: servers may take it for the end of those that are open, and refuse a head that comes after it.
  void announce_goaway();
  void goaway();
  /// Ends run() at once.
  void cut_off();

  http::H2Session& session() noexcept { return session_; }
  const http::H2Session& session() const noexcept { return session_; }
  net::Reactor& reactor() noexcept { return socket_.reactor(); }
  http::H2Fields& fields() noexcept { return fields_; }
  Buffer& scratch() noexcept { return scratch_; }
  std::size_t streams() const noexcept { return streams_.size(); }
  /// It takes no new streams: the peer said so, or it is over.
  bool closing() const noexcept { return closing_; }
  /// A static text of why it ended; empty for an ordinary end.
  std::string_view failure() const noexcept { return failure_; }

 private:
  friend class Stream;

  // for streams
  /// Client: one more will send its head, now or later; or, told by its end, no longer.
  void lend() noexcept { ++lent_; }
  void give_back() noexcept;
  /// Told by settings_known() once the peer has said what it offers.
  void await_settings(Stream& stream) noexcept { unsettled_.push_back(stream); }
  void attach(std::int32_t id, Stream& stream);
  void detach(Stream& stream) noexcept;
  void has_news(Stream& stream) noexcept {
    news_.push_back(stream);
    flush();
  }
  /// Sends, at the end of the turn, what was handed over.
  void flush() noexcept { reactor().at_turn_end(*this); }

  // H2Events
  void on_request(std::int32_t stream, http::RequestHead& head, Buffer& bytes, bool ends) override;
  void on_refused(std::int32_t stream, const http::Refusal& refusal) override;
  void on_response(std::int32_t stream, http::ResponseHead& head, Buffer& bytes, bool ends) override;
  void on_data(std::int32_t stream, std::string_view data) override;
  void on_trailers(std::int32_t stream, http::FieldList& fields, Buffer& bytes) override;
  void on_end(std::int32_t stream) override;
  http::H2Pulled pull(std::int32_t stream, char* to, std::size_t most) override;
  void on_closed(std::int32_t stream, http::H2Error code, bool by_peer, bool unprocessed) override;
  void on_goaway() override;
  void on_pong() override { awaiting_pong_ = false; }
  void on_settings() override;
  void on_sent_end(std::int32_t stream) override;

  void on_turn_end() override;
  Duration until_ping() const noexcept;
  Stream* find(std::int32_t id) noexcept;
  Task<> read(Buffer& received);
  Task<> write();
  void settle();
  void end_streams();
  void wake_writer();
  void stop_sending(net::IoStatus why);
  /// Client: a new stream's head could still leave.
  bool takes_heads() const noexcept { return !unheard_ && !ending_; }
  void watch() noexcept;
  static void silent(void* self);
  void look_at_head();
  static void head_is_late(void* self);

  struct Wake;

  net::Stream& socket_;
  const http::H2Role role_;
  const Limits limits_;
  Owner& owner_;
  http::H2Session session_;
  http::H2Fields fields_;
  Buffer scratch_;   // lower-case names of trailers
  Buffer out_;
  boost::unordered_flat_map<std::int32_t, Stream*> streams_;
  List<Stream, NewsTag> news_;
  List<Stream, UnsettledTag> unsettled_;
  net::Timer silence_;
  net::Timer head_clock_;   // from the first byte of a field section to its end
  TimePoint heard_at_;      // or when the first of the streams began
  TimePoint received_at_;
  bool awaiting_pong_ = false;
  bool pinged_ = false;        // since the last frame of a stream
  bool closing_ = false;
  std::uint32_t lent_ = 0;     // client: streams that somebody has, whether their head was sent or not
  bool goaway_waits_ = false;  // for the last of those
  bool unheard_ = false;       // client: the server takes nothing more; what it has sent is read
  std::uint64_t left_ = 0;     // bytes of the output that have gone, or may have
  bool ending_ = false;     // what is still to be sent is sent, and nothing more is read
  bool busy_ = false;       // the last time there was more to send than a block holds
  std::string_view failure_;
  std::coroutine_handle<> writer_waits_;
  Task<> writer_;
};

}  // namespace tidegate::h2
