// What a try to deliver a message came to, and when the next one is due. Pure; any thread.
#pragma once

#include <cstdint>
#include <string>

#include "notify/limits.h"
#include "outbound/message.h"

namespace tidegate::notify {

struct Outcome {
  enum class Kind : std::uint8_t {
    Delivered,  ///< 2xx
    Later,      ///< no answer, 408, 429, 5xx, a certificate that is not valid: it may be mended
    Never,      ///< another status: the same would come again
  };
  Kind kind = Kind::Delivered;
  std::string why{};  ///< names the origin, not the URL: Slack's paths are secrets
};

Outcome outcome(const outbound::Result& result, const std::string& origin);

/// The pause after a failure that came after a pause of `last` (0 = the first failure).
Duration next_pause(Duration last, const Limits& limits) noexcept;

}  // namespace tidegate::notify
