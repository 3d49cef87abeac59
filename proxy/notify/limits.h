// The bounds of telling, by name (STYLE §3.9).
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/clock.h"

namespace tidegate::notify {

struct Limits {
  std::size_t pending = 256;      ///< messages of a target that wait; beyond it the oldest of them is dropped
  std::uint32_t attempts = 10;    ///< of a message; about four minutes with these pauses
  Duration first_pause = std::chrono::seconds(1);     ///< after the first failure of a message; doubles
  Duration longest_pause = std::chrono::seconds(60);
  Duration flush = std::chrono::seconds(2);           ///< what stop() gives to what is pending
};

}  // namespace tidegate::notify
