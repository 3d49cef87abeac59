// The first requests that failed on new lately: what an operator looks at after a revert, before anything else. One for
// each worker and route; its worker writes, control reads when it has decided. A lock is taken for a failure only, never for
// a request that went well. Bounded: of each second the first few, of the newest
// seconds that had any, so that neither a background of failures nor an outage pushes out how it began.
//
// Redacted: no query, no fields, no client; of the path only what looks like words of an API (redacted_path). The request id is
// kept when it is a UUID: others are the client's own and may be anything.
#pragma once

#include <cstdint>
#include <deque>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/failure.h"

namespace tidegate::observe {

/// In place of an upstream: of a request that no address of the side could take, and that went to the other side.
inline constexpr std::string_view kNoHealthyEndpoint = "no healthy endpoint";

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

/// Without query; only segments that look like words of an API are shown, every other is "*"; at most 200 bytes.
std::string redacted_path(std::string_view target);
/// A UUID as it is, anything else "".
std::string redacted_id(std::string_view request_id);

class FailureSamples {
 public:
  static constexpr std::size_t kOfASecond = 8;   ///< the first of each second
  static constexpr std::size_t kSeconds = 32;    ///< the newest that had a failure: any alarm's, at any rate

  /// The route's worker. Whether one of this moment would be kept: looked at before a sample is made.
  bool wants(TimePoint now) const noexcept;
  /// The route's worker. What cannot be kept for want of memory is not kept.
  void note(FailureSample sample) noexcept;
  /// Any thread. Those since that moment, oldest first.
  std::vector<FailureSample> since(TimePoint moment) const;

 private:
  struct Second {
    std::int64_t number;
    std::vector<FailureSample> samples;
  };
  mutable std::mutex mutex_;
  std::deque<Second> kept_;  ///< by time; only its worker changes it, so only others need the lock to read it
};

}  // namespace tidegate::observe
