// How `memory.buffers` is shared out among the workers.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace tidegate {

/// Up to where a worker's buffers may go before something is refused for it.
struct MemoryShare {
  std::size_t most;             ///< requests; bytes
  std::size_t most_for_copies;  ///< what can be done without (copies of a mirror): a half of the budget, less what the others hold

  bool operator==(const MemoryShare&) const = default;
};

/// Each worker may hold what the others leave of the budget, so that one alone can use up all of it.
/// @param lent what the buffers of each worker hold, bytes: one reading of each, for they change meanwhile
/// @return a share for each, in the same order
std::vector<MemoryShare> share_out(std::uint64_t budget, std::span<const std::size_t> lent);

}  // namespace tidegate
