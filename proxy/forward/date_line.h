// The Date of responses that have none (RFC 9110 §6.6.1: who passes one on and has a clock adds it): made once a second, so that it
// costs a copy. One a worker; its thread.
#pragma once

#include <array>
#include <string_view>

#include "base/clock.h"

namespace tidegate::forward {

class DateLine {
 public:
  /// "date: Sun, 06 Nov 1994 08:49:37 GMT" with CRLF; good until the next call. @param now the reactor's
  std::string_view text(TimePoint now) noexcept {
    if (now >= good_until_) renew(now, wall_clock_ms());
    return {line_.data(), line_.size()};
  }
  /// @param wall_ms milliseconds since the Unix epoch
  void renew(TimePoint now, std::int64_t wall_ms) noexcept;

 private:
  std::array<char, 37> line_{};
  TimePoint good_until_{};
};

}  // namespace tidegate::forward
