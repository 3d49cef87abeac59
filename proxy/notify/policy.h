// What the file says about a notification: where it goes, in which format, and about which events. Plain values, read by
// config/, used by notifier.h.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "base/clock.h"
#include "outbound/policy.h"

namespace tidegate::notify {

enum class Format : std::uint8_t { Json, Slack };

/// What one can be told of.
enum class Event : std::uint8_t { Started, Step, Paused, Held, Resumed, Completed, Aborted, Reverted, Rearmed };
inline constexpr std::size_t kEventCount = 9;
constexpr std::string_view name(Event event) noexcept {
  constexpr std::array<std::string_view, kEventCount> names{"started",   "step",    "paused",   "held",   "resumed",
                                                             "completed", "aborted", "reverted", "rearmed"};
  return names[static_cast<std::size_t>(event)];
}

struct NotifyPolicy {
  outbound::Destination destination;
  Format format = Format::Json;
  std::array<bool, kEventCount> on{};             ///< by Event
  Duration timeout = std::chrono::seconds(10);    ///< of one attempt
  bool operator==(const NotifyPolicy&) const = default;
};

}  // namespace tidegate::notify
