// The first requests that failed on new lately: what an operator looks at after a revert, before anything else. One for
// each worker and route; its worker writes, control reads when it has decided. A lock is taken for a failure only, never for
// a request that went well. Bounded: when it is full a newer one is kept only in the place of one that is old, so that
// the first failures of an outage are there and not the last.
//
// Redacted: no query, no fields, no client; of the path no segment that may be a secret or a person (redacted_path).
#pragma once

#include <cstdint>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/failure.h"

namespace tidegate::observe {

struct FailureSample {
  std::int64_t at_ms = 0;        ///< wall clock
  TimePoint at{};
  std::string method;
  std::string path;              ///< redacted
  std::string upstream;          ///< the endpoint
  std::string request_id;
  Failure why = Failure::None;
  std::uint16_t status = 0;      ///< 0: there was none
  std::uint32_t after_ms = 0;    ///< since the request was begun on that side
};

/// Without query; a segment that is long and has digits, or holds "@" or "=", is shown as "*"; at most 200 bytes.
std::string redacted_path(std::string_view target);

class FailureSamples {
 public:
  static constexpr std::size_t kKept = 16;
  /// How old one has to be to make room: longer than the gate takes at any rate at which there are more than kKept failures.
  static constexpr Duration kOld = std::chrono::minutes(1);

  /// The route's worker. What cannot be kept for want of memory is not kept.
  void note(FailureSample sample) noexcept;
  /// Any thread. Those since that moment, oldest first.
  std::vector<FailureSample> since(TimePoint moment) const;

 private:
  mutable std::mutex mutex_;
  std::vector<FailureSample> kept_;  ///< by time
};

}  // namespace tidegate::observe
