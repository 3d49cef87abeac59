#include "upstream/resolution.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

namespace tidegate::upstream {

namespace {

Duration jittered(Duration period, double chance) {
  return std::chrono::duration_cast<Duration>(period * (1.0 - kJitter + 2.0 * kJitter * chance));
}

bool comes_before(const net::Address& a, const net::Address& b) {
  if (a.length != b.length) return a.length < b.length;
  return std::memcmp(&a.storage, &b.storage, a.length) < 0;
}

}  // namespace

std::string_view name(Resolved result) noexcept {
  constexpr std::array<std::string_view, kResolvedCount> kNames{"success", "empty", "nxdomain", "timeout", "error"};
  return kNames[static_cast<std::size_t>(result)];
}

std::vector<net::Address> in_order(std::vector<net::Address> found) {
  std::sort(found.begin(), found.end(), comes_before);
  found.erase(std::unique(found.begin(), found.end()), found.end());
  if (found.size() > kMostAddresses) found.resize(kMostAddresses);
  return found;
}

Resolution::News Resolution::answered(std::vector<net::Address> found, Duration ttl, TimePoint now, double chance) {
  News news;
  news.recovered = failing_.has_value();
  failing_.reset();
  retry_ = kFirstRetry;
  due_ = now + std::max(jittered(std::clamp(ttl, kShortestTtl, kLongestTtl), chance), kShortestTtl);
  found = in_order(std::move(found));
  news.changed = found != addresses_;
  addresses_ = std::move(found);
  return news;
}

Resolution::News Resolution::failed(Resolved why, TimePoint now, double chance) {
  News news;
  news.failed = failing_ != why;
  failing_ = why;
  due_ = now + std::max(jittered(retry_, chance), kFirstRetry);
  retry_ = std::min(retry_ * 2, kLongestRetry);
  return news;
}

}  // namespace tidegate::upstream
