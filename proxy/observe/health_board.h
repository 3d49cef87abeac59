// Which addresses of clusters take no requests, and why: what workers tell once they have found out, kept for people until they
// tell something else. Kept by cluster and address, as the pools do it: a reload that keeps both keeps what is known.
//
// Decides nothing; the pools go by their own. Any thread.
#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.h"

namespace tidegate::observe {

class HealthBoard {
 public:
  struct Found {
    bool healthy = true;           ///< by its checks; true also before the first one
    bool ejected = false;          ///< left out for failures in a row
    std::string why;               ///< of what keeps it from requests; else empty
    std::int64_t since_ms = 0;     ///< wall clock, of what is said here; 0: nothing was told yet
  };

  struct Cluster {
    std::string name;
    bool has_checks = false;
    bool has_outliers = false;     ///< it leaves out what fails in a row
  };

  /// All that is known of one address; what another board needs to go on.
  struct Record {
    std::string cluster;
    std::string address;
    bool healthy = true;
    std::string why;
    std::int64_t since_ms = 0;
    Duration ejected_for{};        ///< from now on; zero: it is not
    std::string ejected_why;
    std::int64_t ejected_ms = 0;
  };
  std::vector<Record> records(TimePoint now) const;
  void restore(const Record& from, TimePoint now);

  void set_health(const std::string& cluster, const std::string& address, bool healthy, const std::string& why, std::int64_t now_ms);
  void eject(const std::string& cluster, const std::string& address, const std::string& why, TimePoint now, Duration length,
             std::int64_t now_ms);
  Found look(const std::string& cluster, const std::string& address, TimePoint now) const;

  /// The cluster has these addresses now: what was known of others is over, should they come back.
  void keep_addresses(const std::string& cluster, const std::vector<std::string>& addresses);
  /// These are all that there are now. Of what one has no checks for any more nobody will say that it is well again.
  void keep_clusters(const std::vector<Cluster>& clusters);

 private:
  struct Entry {
    bool healthy = true;
    std::string why;
    std::int64_t since_ms = 0;
    TimePoint ejected_until{};
    std::string ejected_why;
    std::int64_t ejected_ms = 0;
  };
  using Place = std::pair<std::string, std::string>;  // cluster, address

  mutable std::mutex mutex_;
  std::map<Place, Entry> entries_;
};

}  // namespace tidegate::observe
