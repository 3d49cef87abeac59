#include "upstream/resolver.h"

#include <netdb.h>

#include <cstring>

namespace tidegate::upstream {

Resolver::Resolver(const std::vector<ClusterPolicy>& clusters, Found found, Failed failed)
    : clusters_(clusters), found_(std::move(found)), failed_(std::move(failed)) {}

Resolver::~Resolver() { stop(); }

void Resolver::start() {
  for (std::size_t c = 0; c < clusters_.size(); ++c) {
    for (std::size_t e = 0; e < clusters_[c].endpoints.size(); ++e) {
      const EndpointAddress& endpoint = clusters_[c].endpoints[e];
      if (const auto literal = net::make_address(endpoint.host, endpoint.port)) {
        found_(c, e, {*literal});
      } else {
        names_.push_back({c, e, {}});
      }
    }
  }
  if (names_.empty()) return;
  for (Name& name : names_) resolve(name);
  thread_ = std::thread([this] { run(); });
}

void Resolver::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  if (thread_.joinable()) thread_.join();
}

void Resolver::run() {
  std::unique_lock lock(mutex_);
  while (!wake_.wait_for(lock, kPeriod, [this] { return stopping_; })) {
    lock.unlock();
    for (Name& name : names_) resolve(name);
    lock.lock();
  }
}

void Resolver::resolve(Name& name) {
  const EndpointAddress& endpoint = clusters_[name.cluster].endpoints[name.endpoint];
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_ADDRCONFIG | AI_NUMERICSERV;
  addrinfo* answer = nullptr;
  const int error = ::getaddrinfo(endpoint.host.c_str(), std::to_string(endpoint.port).c_str(), &hints, &answer);
  if (error != 0) {
    const std::string why = ::gai_strerror(error);
    if (why != name.last_error) failed_(endpoint, why);
    name.last_error = why;
    return;
  }
  name.last_error.clear();
  std::vector<net::Address> addresses;
  for (const addrinfo* at = answer; at != nullptr; at = at->ai_next) {
    net::Address address;
    std::memcpy(&address.storage, at->ai_addr, at->ai_addrlen);
    address.length = at->ai_addrlen;
    addresses.push_back(address);
  }
  ::freeaddrinfo(answer);
  found_(name.cluster, name.endpoint, addresses);
}

}  // namespace tidegate::upstream
