// Turns the names of endpoints into addresses, on a thread of its own: asks DNS again when an answer's TTL ends, tells what
// has changed, and keeps the last good answer while there is none (resolution.h). A name that several endpoints have is
// asked for once. Literals and unix-domain sockets are answered at once, and without names there is no thread.
//
// Owned by the composition root. Callbacks run on the resolver's thread, or inside start() for literals.
#pragma once

#include <array>
#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "base/random.h"
#include "net/address.h"
#include "upstream/dns_lookup.h"
#include "upstream/policy.h"
#include "upstream/resolution.h"

namespace tidegate::upstream {

class Resolver {
 public:
  /// start() does not wait longer for names; the side of one that has no address yet answers 502.
  static constexpr Duration kStartWait = std::chrono::seconds(5);
  static constexpr std::size_t kMostAtOnce = 32;  ///< names that are being asked for, with some two sockets each

  struct Events {
    /// The endpoint's addresses, each time they are others.
    std::function<void(std::size_t cluster, std::size_t endpoint, const std::vector<net::Address>&)> found;
    /// For people: a line about a name that is no problem, and one that is.
    std::function<void(const std::string& line)> news;
    std::function<void(const std::string& line)> problem;
  };

  /// What a cluster's names came to since the start.
  struct Counts {
    std::array<std::uint64_t, kResolvedCount> results{};  ///< by Resolved
    std::size_t addresses = 0;                            ///< that its names have now
    bool has_names = false;
  };

  /// @param before what it knows of names is known here; it may go on meanwhile.
  Resolver(const std::vector<ClusterPolicy>& clusters, DnsPolicy policy, Events events, const Resolver* before = nullptr);
  Resolver(const Resolver&) = delete;
  Resolver& operator=(const Resolver&) = delete;
  ~Resolver();

  /// What another process knew of a name, without ports; asked again soon. Before start().
  void seed(std::string host, const std::vector<net::Address>& addresses);
  /// Any thread, after start(): names with the addresses that they have.
  std::vector<std::pair<std::string, std::vector<net::Address>>> known() const;

  /// Resolves everything once, for kStartWait at most, then goes on in the background if there is a name.
  void start();
  void stop();
  /// By cluster. Any thread.
  std::vector<Counts> counts() const;

 private:
  struct Place {
    std::size_t cluster;
    std::size_t endpoint;
    std::uint16_t port;
  };
  struct Name {
    std::string host;
    std::vector<Place> places;
    Resolution known{};
    std::unique_ptr<DnsLookup> lookup{};  // while it is asked for
    bool was_asked = false;
  };

  void add(const std::string& host, Place place);
  void go_on_with(const Resolver& before);
  void run();
  void begin_due(TimePoint now);
  void wait();
  void finish(Name& name, const DnsLookup::Outcome& outcome);
  void count(const Name& name, Resolved result);
  void count_addresses();
  void tell(const Name& name) const;
  void tell_changed(const Name& name, std::size_t before);
  void end_of_start(TimePoint now);
  double chance() { return static_cast<double>(random_.next() >> 11) * 0x1.0p-53; }

  const std::vector<ClusterPolicy>& clusters_;
  const DnsPolicy policy_;
  const Events events_;
  Random random_;
  struct Known {
    std::string host;
    Resolution resolution;
  };
  std::vector<Known> known_;  // of the resolver before, until start()
  std::vector<Name> names_;
  TimePoint start_ends_{};
  int wake_ = -1;
  std::atomic<bool> stopping_{false};
  std::thread thread_;

  mutable std::mutex mutex_;  // guards what follows
  std::condition_variable begun_;
  bool started_ = false;      // every name was asked for, or kStartWait is over
  std::vector<Counts> counts_;
};

}  // namespace tidegate::upstream
