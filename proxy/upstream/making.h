// A connection that is made for all who wait for it, because it will carry many exchanges. It is nobody's in particular: it goes on
// when one of those leaves, and ends when the last does. What comes of it, and who gets it, is the pool's business.
//
// Owned by the pool until it has ended; one worker's thread.
#pragma once

#include <cstdint>
#include <memory>

#include "base/intrusive_list.h"
#include "base/task.h"
#include "net/reactor.h"
#include "upstream/connection.h"

namespace tidegate::upstream {

class Making final : public net::Retirable, public Link<>, private net::TurnEnd {
 public:
  /// @param begun its connect has
  Making(net::Reactor& reactor, Pool& pool, std::unique_ptr<Connection> begun)
      : connection(std::move(begun)), reactor_(reactor), pool_(pool) {}
  ~Making() override = default;

  /// From the turn's end on: who asked for it has to wait before it can be there.
  void start() noexcept { reactor_.at_turn_end(*this); }
  void cancel();

  std::unique_ptr<Connection> connection;
  std::uint32_t waiters = 0;
  bool late = false;  ///< somebody's time was over before it was there, which was counted

 private:
  void on_turn_end() override;
  Task<> run();
  static void done(void* self);

  net::Reactor& reactor_;
  Pool& pool_;
  net::IoStatus status_ = net::IoStatus::Canceled;
  Task<> root_;
};

}  // namespace tidegate::upstream
