// A second attempt of a request beside the first (route::HedgePolicy): a connection, the request on it, and the head of the response. It
// never speaks to the client and nothing waits for it but its exchange, which takes its lease and its head when it wins, and cancels it
// when it does not. It wins with a head whose status is not a failure: what the first attempt is about to say may still be better.
//
// Owned by an exchange, which keeps it for its next requests. One worker's thread.
#pragma once

#include <cstddef>

#include "base/buffer.h"
#include "base/failure.h"
#include "base/task.h"
#include "http/h1_head.h"
#include "net/reactor.h"
#include "upstream/pool.h"

namespace tidegate::forward {

class Hedge final : private net::TurnEnd {
 public:
  struct Events {
    /// At the end of the turn in which it has won, unless it was finished before: nothing of it is on the stack then, and it may be
    /// finished from there.
    void (*on_won)(void*);
    bool (*is_wanted)(void*);  ///< whether it may still leave, after it has waited
    void* context;
  };
  Hedge(net::Reactor& reactor, const Events& events) noexcept : head(reactor.blocks(), BlockSize::Small), reactor_(reactor), events_(events) {
    acquisition_.set_events({nullptr, nullptr, events.is_wanted, events.context});
  }
  Hedge(const Hedge&) = delete;
  Hedge& operator=(const Hedge&) = delete;

  Buffer head;  ///< the request, encoded, before start()

  /// Asks. @param client,avoid as for Pool::take_idle().
  void start(upstream::Pool& pool, http::Method method, upstream::Client* client, std::size_t avoid);
  /// Ends it, if it is under way; join() tells when.
  void cancel() noexcept;
  auto join() noexcept { return task_.join(); }
  /// After join(): gives everything back that was not taken.
  void finish() noexcept;

  bool won() const noexcept { return won_; }
  /// It does not wait for one. While it is under way.
  bool has_connection() const noexcept { return static_cast<bool>(lease_); }
  /// Why it did not win; None: it was cancelled, or won, or nobody has looked at it.
  Failure failure() const noexcept { return failure_; }
  upstream::Lease take() noexcept { return std::move(lease_); }

  http::ResponseHead response;        ///< once it has won
  http::ResponseHeadDecoder decoder;  ///< that read it

 private:
  Task<> ask(upstream::Client* client, std::size_t avoid);
  Task<bool> send();
  Task<bool> read_head();
  bool fail(Failure why) noexcept;
  bool fail(net::IoStatus status) noexcept;
  void on_turn_end() override { events_.on_won(events_.context); }

  net::Reactor& reactor_;
  const Events events_;
  upstream::Pool* pool_ = nullptr;
  http::Method method_ = http::Method::Get;
  upstream::Acquisition acquisition_;
  upstream::Lease lease_;
  Failure failure_ = Failure::None;
  bool canceled_ = false;
  bool heard_ = false;  // of the upstream, if not the answer
  bool won_ = false;
  Task<> task_;
};

}  // namespace tidegate::forward
