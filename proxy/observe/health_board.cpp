#include "observe/health_board.h"

#include <algorithm>

namespace tidegate::observe {

void HealthBoard::set_health(const std::string& cluster, const std::string& address, bool healthy, const std::string& why,
                             std::int64_t now_ms) {
  const std::lock_guard lock(mutex_);
  Entry& entry = entries_[{cluster, address}];
  entry.healthy = healthy;
  entry.why = healthy ? std::string() : why;
  entry.since_ms = now_ms;
}

std::vector<HealthBoard::Record> HealthBoard::records(TimePoint now) const {
  const std::lock_guard lock(mutex_);
  std::vector<Record> out;
  for (const auto& [place, entry] : entries_) {
    const Duration left = std::max<Duration>(Duration::zero(), entry.ejected_until - now);
    out.push_back({place.first, place.second, entry.healthy, entry.why, entry.since_ms, left, entry.ejected_why, entry.ejected_ms});
  }
  return out;
}

void HealthBoard::restore(const Record& from, TimePoint now) {
  const std::lock_guard lock(mutex_);
  const TimePoint until = from.ejected_for > Duration::zero() ? now + from.ejected_for : TimePoint{};
  entries_[{from.cluster, from.address}] = {from.healthy, from.why, from.since_ms, until, from.ejected_why, from.ejected_ms};
}

/// Several workers may find out at once: the first one is meant.
void HealthBoard::eject(const std::string& cluster, const std::string& address, const std::string& why, TimePoint now,
                        Duration length, std::int64_t now_ms) {
  const std::lock_guard lock(mutex_);
  Entry& entry = entries_[{cluster, address}];
  const bool goes_on = entry.ejected_until > now;
  entry.ejected_until = std::max(entry.ejected_until, now + length);
  if (goes_on) return;
  entry.ejected_why = why;
  entry.ejected_ms = now_ms;
}

HealthBoard::Found HealthBoard::look(const std::string& cluster, const std::string& address, TimePoint now) const {
  const std::lock_guard lock(mutex_);
  const auto found = entries_.find({cluster, address});
  if (found == entries_.end()) return {};
  const Entry& entry = found->second;
  const bool ejected = entry.ejected_until > now;
  if (entry.healthy && ejected) return {true, true, entry.ejected_why, entry.ejected_ms};
  return {entry.healthy, ejected, entry.why, entry.since_ms};
}

void HealthBoard::keep_addresses(const std::string& cluster, const std::vector<std::string>& addresses) {
  const std::lock_guard lock(mutex_);
  std::erase_if(entries_, [&](const auto& entry) {
    return entry.first.first == cluster && std::find(addresses.begin(), addresses.end(), entry.first.second) == addresses.end();
  });
}

void HealthBoard::keep_clusters(const std::vector<Cluster>& clusters) {
  const std::lock_guard lock(mutex_);
  for (auto at = entries_.begin(); at != entries_.end();) {
    const auto of = std::find_if(clusters.begin(), clusters.end(), [&](const Cluster& one) { return one.name == at->first.first; });
    if (of == clusters.end()) {
      at = entries_.erase(at);
      continue;
    }
    Entry& entry = at->second;
    if (!of->has_outliers) entry.ejected_until = {};
    if (!of->has_checks) {
      entry.healthy = true;
      entry.why.clear();
      entry.since_ms = 0;
    }
    ++at;
  }
}

}  // namespace tidegate::observe
