#include "base/memory_shares.h"

#include <numeric>

namespace tidegate {

std::vector<MemoryShare> share_out(std::uint64_t budget, std::span<const std::size_t> lent) {
  constexpr std::uint64_t kCopiesPart = 2;
  const auto left = [](std::uint64_t all, std::uint64_t others) { return all > others ? all - others : 0; };
  const std::uint64_t held = std::accumulate(lent.begin(), lent.end(), std::uint64_t{0});
  std::vector<MemoryShare> shares;
  shares.reserve(lent.size());
  for (const std::size_t own : lent) {
    const std::uint64_t others = held - own;
    shares.push_back({left(budget, others), left(budget / kCopiesPart, others)});
  }
  return shares;
}

}  // namespace tidegate
