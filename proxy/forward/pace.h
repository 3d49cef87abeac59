// Whether a client sends or takes a body at the least rate that its listener asks for: limits.min_request_rate and
// min_response_rate. Somebody who moves a byte now and then is in time for every idle timeout and holds a connection, an
// upstream connection and their buffers for ever; a rate ends that.
//
// It is an account in bytes. What moves is paid in, the rate is charged for the time in which the client is what is waited for
// and for no other, so a slow cluster, a long poll and a quiet event stream cost nothing. The account begins full and is never
// fuller than that: what was moved fast long ago does not pay for an endless dribble.
//
// A value without a clock.
#pragma once

#include <cstdint>

#include "base/clock.h"

namespace tidegate::forward {

class Pace {
 public:
  /// What a receiver may keep from its acknowledgements until it has read a good part of its buffer: a window of an HTTP/2
  /// stream, or a 16th of a socket's buffer.
  static constexpr std::uint64_t kWindowBytes = 64 * 1024;

  /// @param rate bytes a second; 0: any will do. @param grace that a full account lasts when nothing moves.
  /// @param slack bytes on top of that.
  void start(std::uint64_t rate, Duration grace, std::uint64_t slack, TimePoint now) noexcept;
  void stop() noexcept { rate_ = 0; }
  bool active() const noexcept { return rate_ > 0; }

  /// Once in a while. @param moved bytes in all; less than at an earlier time counts as nothing. @param waiting the client is
  /// what is waited for now, and is taken to have been since the last time. @return false: it is too slow.
  bool keeps_up(std::int64_t moved, bool waiting, TimePoint now) noexcept;

 private:
  double rate_ = 0;
  double most_ = 0;
  double account_ = 0;
  std::int64_t moved_ = 0;
  TimePoint seen_;
};

}  // namespace tidegate::forward
