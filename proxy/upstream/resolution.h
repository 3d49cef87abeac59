// What is known of one name: its last good answer, when it is asked again, and whether there is something to tell. A name
// that cannot be resolved keeps the addresses that it had, whatever the reason: a wrong zone file must not take a side down
// that answers (PRODUCT §2).
//
// Policy without I/O: the answer, the time and chance are arguments. The resolver (resolver.h) has one a name.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "net/address.h"

namespace tidegate::upstream {

inline constexpr std::size_t kMostAddresses = 64;  ///< of one endpoint

/// An answer is good for its TTL, within these: a TTL of 0 would be a query a request, and one of days would outlive the
/// load balancer that is behind the name.
inline constexpr Duration kShortestTtl = std::chrono::seconds(1);
inline constexpr Duration kLongestTtl = std::chrono::minutes(5);
/// After a failure, doubled each time.
inline constexpr Duration kFirstRetry = std::chrono::seconds(1);
inline constexpr Duration kLongestRetry = std::chrono::seconds(30);
/// Everything is asked this much earlier or later, so that a fleet does not ask in step.
inline constexpr double kJitter = 0.1;

/// What asking for a name came to.
enum class Resolved : std::uint8_t {
  Success,
  Empty,       ///< the name exists and has no address
  NoSuchName,
  Timeout,
  Error,       ///< refused, SERVFAIL, no server to be reached, an answer that makes no sense
};
inline constexpr std::size_t kResolvedCount = 5;
std::string_view name(Resolved result) noexcept;

/// Each once, in one order and not more than kMostAddresses: servers rotate what they answer, and the same hosts must come
/// out of every rotation, also where there are too many.
std::vector<net::Address> in_order(std::vector<net::Address> found);

class Resolution {
 public:
  struct News {
    bool changed = false;    ///< there are other addresses than before
    bool failed = false;     ///< for the first time, or for another reason than the last time
    bool recovered = false;  ///< after a failure
  };

  /// @param found not empty. @param chance evenly out of [0, 1).
  News answered(std::vector<net::Address> found, Duration ttl, TimePoint now, double chance);
  News failed(Resolved why, TimePoint now, double chance);

  TimePoint due() const noexcept { return due_; }  ///< when it is asked again
  /// As in_order() has them; empty: it was never resolved.
  const std::vector<net::Address>& addresses() const noexcept { return addresses_; }

 private:
  std::vector<net::Address> addresses_;
  std::optional<Resolved> failing_;
  Duration retry_ = kFirstRetry;
  TimePoint due_{};
};

}  // namespace tidegate::upstream
