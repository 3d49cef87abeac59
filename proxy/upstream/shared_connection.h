// A connection to an endpoint that carries many exchanges at a time (HTTP/2). Each exchange borrows a stream of it; it stays in
// its pool, lent or not, until it takes no new streams, and ends when the last one is over. One that is new carries one until the
// server has said how many it allows (its first frame, RFC 9113 §3.4), at most for `timeouts.connect`: what is too many is refused.
//
// Owned by its pool; retired at the end of its coroutine. One worker's thread.
#pragma once

#include <cstdint>
#include <memory>

#include "base/intrusive_list.h"
#include "base/task.h"
#include "h2/connection.h"
#include "h2/stream.h"
#include "net/reactor.h"
#include "upstream/channel.h"
#include "upstream/connection.h"
#include "upstream/policy.h"

namespace tidegate::upstream {

class SharedConnection final : public net::Retirable, public Link<>, private h2::Owner, private net::TurnEnd {
 public:
  /// @param established connected, and nothing was sent on it
  SharedConnection(net::Reactor& reactor, Pool& pool, const ClusterPolicy& policy, std::unique_ptr<Connection> established);
  ~SharedConnection() override;

  void start();
  /// Another stream may be opened.
  bool has_room() const noexcept;
  /// A stream for one exchange; has_room() was asked. Goes back by Channel::release().
  Channel& open();
  std::size_t streams() const noexcept { return open_; }
  /// It takes no new streams.
  bool is_closing() const noexcept { return connection_.closing() || is_used_up(); }
  /// The server has not said yet how many streams it allows, and still may: one is all that is opened until then.
  bool is_new() const noexcept { return !connection_.closing() && !connection_.session().knows_peer() && patience_.armed(); }
  std::size_t target() const noexcept { return established_->target(); }
  /// No new streams; ends when those that are open are over.
  void retire();
  void cut_off() { connection_.cut_off(); }

 private:
  class StreamChannel;

  void on_request(std::int32_t, http::RequestHead&, Buffer&, bool) override {}  // a server's business
  void on_refused(std::int32_t, const http::Refusal&) override {}
  void after_input() override { look_for_room(); }
  void on_capacity() override { look_for_room(); }
  void on_turn_end() override;
  void look_for_room() noexcept;
  bool is_used_up() const noexcept { return policy_.pool.requests_per_connection != 0 && opened_ >= policy_.pool.requests_per_connection; }
  static void patience_is_over(void* self);
  void closed(StreamChannel& channel);
  Task<> serve();
  static void done(void* self);

  net::Reactor& reactor_;
  Pool& pool_;
  const ClusterPolicy& policy_;
  std::unique_ptr<Connection> established_;
  h2::Connection connection_;
  TimePoint busy_since_{};  // when the first of the streams was opened that are, or were open at the same time
  std::uint32_t open_ = 0;
  std::uint32_t opened_ = 0;
  bool settled_ = false;  // it is new no more, and those who wait know
  net::Timer patience_;   // with a server that does not say how many streams it allows
  Task<> root_;
};

}  // namespace tidegate::upstream
