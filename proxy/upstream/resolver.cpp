#include "upstream/resolver.h"

#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>
#include <utility>

namespace tidegate::upstream {

namespace {

constexpr Duration kLongestWait = std::chrono::minutes(1);
constexpr Duration kWithoutMemory = std::chrono::milliseconds(100);  // poll() can't fail otherwise; it must not spin

/// Signals belong to the threads that wait for them.
void begin_thread() {
  ::sigset_t all;
  ::sigfillset(&all);
  ::pthread_sigmask(SIG_BLOCK, &all, nullptr);
  ::pthread_setname_np(::pthread_self(), "resolver");
}

std::string addresses_text(std::size_t count) { return std::to_string(count) + (count == 1 ? " address" : " addresses"); }

std::string failure_text(const std::string& host, const std::string& why, std::size_t kept) {
  const std::string rest = kept == 0 ? "it has no address yet" : "its last " + addresses_text(kept) + " stay in use";
  return "cannot resolve " + host + ": " + why + "; " + rest;
}

}  // namespace

Resolver::Resolver(const std::vector<ClusterPolicy>& clusters, DnsPolicy policy, Events events, const Resolver* before)
    : clusters_(clusters), policy_(std::move(policy)), events_(std::move(events)), counts_(clusters.size()) {
  if (before != nullptr) go_on_with(*before);
}

void Resolver::go_on_with(const Resolver& before) {
  const std::lock_guard lock(before.mutex_);
  for (const Name& name : before.names_) {
    if (name.was_asked) known_.push_back({name.host, name.known});
  }
  for (std::size_t c = 0; c < clusters_.size(); ++c) {
    for (std::size_t b = 0; b < before.clusters_.size(); ++b) {
      if (before.clusters_[b].name == clusters_[c].name) counts_[c].results = before.counts_[b].results;
    }
  }
}

Resolver::~Resolver() { stop(); }

void Resolver::seed(std::string host, const std::vector<net::Address>& addresses) {
  Known& known = known_.emplace_back();
  known.host = std::move(host);
  known.resolution.answered(addresses, kShortestTtl, Clock::now(), chance());
}

std::vector<std::pair<std::string, std::vector<net::Address>>> Resolver::known() const {
  const std::lock_guard lock(mutex_);
  std::vector<std::pair<std::string, std::vector<net::Address>>> out;
  for (const Name& name : names_) {
    if (!name.known.addresses().empty()) out.emplace_back(name.host, name.known.addresses());
  }
  return out;
}

void Resolver::start() {
  for (std::size_t c = 0; c < clusters_.size(); ++c) {
    for (std::size_t e = 0; e < clusters_[c].endpoints.size(); ++e) {
      const EndpointAddress& endpoint = clusters_[c].endpoints[e];
      if (const auto literal = net::make_address(endpoint.host, endpoint.port)) {
        events_.found(c, e, {*literal});
      } else {
        add(endpoint.host, {c, e, endpoint.port});
      }
    }
  }
  if (names_.empty()) return;
  for (const Known& known : std::exchange(known_, {})) {
    for (Name& name : names_) {
      if (name.host != known.host) continue;
      name.known = known.resolution;
      name.was_asked = true;
      tell(name);
    }
  }
  count_addresses();
  wake_ = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (wake_ < 0) throw std::system_error(errno, std::generic_category(), "the resolver's eventfd");
  start_ends_ = Clock::now() + kStartWait;
  thread_ = std::thread([this] { run(); });
  std::unique_lock lock(mutex_);
  begun_.wait(lock, [this] { return started_; });
}

void Resolver::stop() {
  stopping_ = true;
  const std::uint64_t one = 1;
  if (wake_ >= 0) [[maybe_unused]] const ssize_t written = ::write(wake_, &one, sizeof one);
  if (thread_.joinable()) thread_.join();
  if (wake_ >= 0) ::close(std::exchange(wake_, -1));
}

std::vector<Resolver::Counts> Resolver::counts() const {
  const std::lock_guard lock(mutex_);
  return counts_;
}

void Resolver::add(const std::string& host, Place place) {
  counts_[place.cluster].has_names = true;
  for (Name& name : names_) {
    if (name.host == host) return name.places.push_back(place);
  }
  names_.push_back({host, {place}});
}

void Resolver::run() {
  begin_thread();
  end_of_start(Clock::now());  // every name may be known from before
  while (!stopping_) {
    begin_due(Clock::now());
    wait();
    for (Name& name : names_) {
      if (name.lookup != nullptr && name.lookup->outcome()) finish(name, *std::exchange(name.lookup, nullptr)->outcome());
    }
    if (!started_) end_of_start(Clock::now());
  }
  for (Name& name : names_) name.lookup.reset();
}

void Resolver::begin_due(TimePoint now) {
  const auto is_asked_for = [](const Name& name) { return name.lookup != nullptr; };
  auto running = static_cast<std::size_t>(std::count_if(names_.begin(), names_.end(), is_asked_for));
  for (Name& name : names_) {
    if (running >= kMostAtOnce) return;
    if (name.lookup != nullptr || name.known.due() > now) continue;
    name.lookup = std::make_unique<DnsLookup>(policy_, name.host, name.known.addresses(), now);
    ++running;
  }
}

/// Until a server answers, something is due, or stop(). Rounded up, or it would turn some hundred times in the last millisecond.
void Resolver::wait() {
  const TimePoint now = Clock::now();
  Duration most = started_ ? kLongestWait : std::max<Duration>(start_ends_ - now, {});
  std::vector<pollfd> all{{wake_, POLLIN, 0}};
  std::size_t running = 0;
  for (const Name& name : names_) {
    if (name.lookup == nullptr) continue;
    ++running;
    most = std::min(most, name.lookup->outcome() ? Duration::zero() : name.lookup->wait(now));
    all.insert(all.end(), name.lookup->descriptors().begin(), name.lookup->descriptors().end());
  }
  for (const Name& name : names_) {
    if (name.lookup == nullptr && running < kMostAtOnce) most = std::min(most, std::max<Duration>(name.known.due() - now, {}));
  }
  const auto milliseconds = std::chrono::ceil<std::chrono::milliseconds>(most).count();
  if (::poll(all.data(), all.size(), static_cast<int>(milliseconds)) < 0) {
    if (errno != EINTR) std::this_thread::sleep_for(kWithoutMemory);
    return;
  }
  std::size_t at = 1;
  const TimePoint then = Clock::now();
  for (Name& name : names_) {
    if (name.lookup == nullptr) continue;
    const std::size_t count = name.lookup->descriptors().size();
    const std::vector<pollfd> ready(all.begin() + static_cast<std::ptrdiff_t>(at), all.begin() + static_cast<std::ptrdiff_t>(at + count));
    at += count;
    name.lookup->turn(ready, then);
  }
}

void Resolver::finish(Name& name, const DnsLookup::Outcome& outcome) {
  const TimePoint now = Clock::now();
  const std::size_t before = name.known.addresses().size();
  const bool good = outcome.result == Resolved::Success;
  Resolution::News news;
  {
    const std::lock_guard lock(mutex_);  // one that follows may be reading
    news = good ? name.known.answered(outcome.addresses, outcome.ttl, now, chance()) : name.known.failed(outcome.result, now, chance());
    name.was_asked = true;
  }
  count(name, outcome.result);
  if (news.failed) events_.problem(failure_text(name.host, outcome.why, before));
  if (news.recovered) events_.news(name.host + " is resolved again");
  if (news.changed) tell_changed(name, before);
}

void Resolver::tell(const Name& name) const {
  for (const Place& place : name.places) {
    std::vector<net::Address> with_port;
    for (const net::Address& one : name.known.addresses()) with_port.push_back(net::with_port(one, place.port));
    if (!with_port.empty()) events_.found(place.cluster, place.endpoint, with_port);
  }
}

void Resolver::tell_changed(const Name& name, std::size_t before) {
  const std::vector<net::Address>& addresses = name.known.addresses();
  tell(name);
  const std::string had = before == 0 ? std::string() : ", other than before (" + std::to_string(before) + ")";
  events_.news(name.host + " has " + addresses_text(addresses.size()) + had);
}

void Resolver::count(const Name& name, Resolved result) {
  const std::lock_guard lock(mutex_);
  std::vector<bool> counted(counts_.size());
  for (const Place& place : name.places) {
    if (!counted[place.cluster]) ++counts_[place.cluster].results[static_cast<std::size_t>(result)];
    counted[place.cluster] = true;
  }
  count_addresses();
}

/// Needs the mutex, once the thread runs.
void Resolver::count_addresses() {
  for (Counts& one : counts_) one.addresses = 0;
  for (const Name& each : names_) {
    for (const Place& place : each.places) counts_[place.cluster].addresses += each.known.addresses().size();
  }
}

/// Names whose servers say nothing do not keep Tidegate from starting.
void Resolver::end_of_start(TimePoint now) {
  const auto was_asked = [](const Name& name) { return name.was_asked; };
  if (now < start_ends_ && !std::all_of(names_.begin(), names_.end(), was_asked)) return;
  for (const Name& name : names_) {
    if (!name.was_asked) events_.problem(failure_text(name.host, "no answer yet", 0));
  }
  {
    const std::lock_guard lock(mutex_);
    started_ = true;
  }
  begun_.notify_all();
}

}  // namespace tidegate::upstream
