// Turns the names of endpoints into addresses, on a thread of its own: getaddrinfo blocks. Literals are answered at once;
// names are asked again every kPeriod. When a name cannot be resolved the last good answer stays in use.
//
// Owned by the composition root. The callback runs on the resolver's thread, or inside start() for literals.
#pragma once

#include <condition_variable>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "net/address.h"
#include "upstream/policy.h"

namespace tidegate::upstream {

class Resolver {
 public:
  /// What getaddrinfo does not tell is the record's TTL; load balancers' names change within minutes.
  static constexpr Duration kPeriod = std::chrono::seconds(15);

  using Found = std::function<void(std::size_t cluster, std::size_t endpoint, const std::vector<net::Address>&)>;
  using Failed = std::function<void(const EndpointAddress&, const std::string& why)>;

  Resolver(const std::vector<ClusterPolicy>& clusters, Found found, Failed failed);
  Resolver(const Resolver&) = delete;
  Resolver& operator=(const Resolver&) = delete;
  ~Resolver();

  /// Resolves everything once, then goes on in the background if there is a name. May take as long as DNS does.
  void start();
  void stop();

 private:
  struct Name {
    std::size_t cluster;
    std::size_t endpoint;
    std::string last_error;
  };
  void resolve(Name& name);
  void run();

  const std::vector<ClusterPolicy>& clusters_;
  const Found found_;
  const Failed failed_;
  std::vector<Name> names_;
  std::mutex mutex_;
  std::condition_variable wake_;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace tidegate::upstream
