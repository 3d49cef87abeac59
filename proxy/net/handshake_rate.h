// The bound on a listener's TLS handshakes a second (`limits.tls_handshakes`), one worker's share of it: a token bucket
// with a queue. Who comes over the rate waits in order; who would wait beyond its deadline is told at once. Handshakes are
// the dearest thing that a stranger can ask for, so it is asked when a client's first bytes are there, not when it connects.
//
// One worker's thread.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/clock.h"
#include "base/intrusive_list.h"
#include "net/timer_wheel.h"

namespace tidegate::net {

class Reactor;

class HandshakeRate;

struct HandshakeRateTag {};
/// Somebody who waits.
class HandshakeWaiter : public Link<HandshakeRateTag> {
 public:
  virtual void on_admitted() = 0;
  /// Gives up its place, if it has one.
  void leave_queue() noexcept;
  HandshakeRate* waits_for = nullptr;

 protected:
  ~HandshakeWaiter() { leave_queue(); }
};

class HandshakeRate {
 public:
  static constexpr double kBurstSeconds = 0.1;  ///< of the rate may come at once

  /// @param per_second 0 = no bound.
  HandshakeRate(Reactor& reactor, double per_second) noexcept;
  HandshakeRate(const HandshakeRate&) = delete;
  HandshakeRate& operator=(const HandshakeRate&) = delete;

  /// From now on. Those who wait are not forgotten.
  void change(double per_second) noexcept;

  enum class Admission : std::uint8_t { Now, Later, Never };
  /// Later: on_admitted() is called when it is its turn, unless it left the queue before.
  Admission ask(HandshakeWaiter& who, Duration patience) noexcept;
  std::size_t waiting() const noexcept { return waiting_; }

 private:
  friend class HandshakeWaiter;
  void refill() noexcept;
  void arm() noexcept;
  static void due(void* self);

  Reactor& reactor_;
  double per_second_;
  double most_;
  double tokens_;
  TimePoint filled_;
  List<HandshakeWaiter, HandshakeRateTag> queue_;
  std::size_t waiting_ = 0;
  Timer timer_;
};

}  // namespace tidegate::net
