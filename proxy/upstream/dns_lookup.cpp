#include "upstream/dns_lookup.h"

#include <ares.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

namespace tidegate::upstream {

namespace {

constexpr int kTries = 2;               // of each server, as resolv.conf(5) has it
constexpr int kDeadlineTimeouts = 5;    // for everything: two tries of one server take three
constexpr std::size_t kMostRead = 1024; // addresses of an answer that are looked at
/// The hosts file has no TTL, and nobody waits for its change.
constexpr Duration kHostsFileTtl = std::chrono::seconds(15);

Resolved meaning(int status) noexcept {
  switch (status) {
    case ARES_SUCCESS: return Resolved::Success;
    case ARES_ENODATA: return Resolved::Empty;
    case ARES_ENOTFOUND: return Resolved::NoSuchName;
    case ARES_ETIMEOUT: return Resolved::Timeout;
    default: return Resolved::Error;
  }
}

std::string sentence(int status) {
  switch (status) {
    case ARES_ENODATA: return "the name has no address";
    case ARES_ENOTFOUND: return "there is no such name";
    case ARES_ETIMEOUT: return "no answer in time";
    case ARES_ECONNREFUSED: return "the name servers fail or cannot be reached";  // SERVFAIL and REFUSED included
    case ARES_EBADRESP: return "the answer makes no sense";
    default: return ::ares_strerror(status);
  }
}

/// Whether the routing table has a way there: without IPv6 on this machine, AAAA records are of no use. Nothing is sent.
bool has_route(const net::Address& address) {
  const int probe = ::socket(address.get()->sa_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (probe < 0) return errno != EAFNOSUPPORT;  // without a descriptor nothing is known: it may as well have one
  const net::Address to = net::with_port(address, 53);
  const bool yes = ::connect(probe, to.get(), to.length) == 0;
  ::close(probe);
  return yes;
}

std::vector<net::Address> with_a_route(const std::vector<net::Address>& all) {
  std::vector<net::Address> some;
  std::copy_if(all.begin(), all.end(), std::back_inserter(some), has_route);
  return some.empty() ? all : some;
}

std::string joined(const std::vector<std::string>& servers) {
  std::string out;
  for (const std::string& one : servers) out += (out.empty() ? "" : ",") + one;
  return out;
}

}  // namespace

DnsLookup::DnsLookup(const DnsPolicy& policy, std::string host, std::vector<net::Address> last, TimePoint now)
    : host_(std::move(host)), last_(std::move(last)), ends_(now + kDeadlineTimeouts * policy.timeout), ttl_(kLongestTtl) {
  static const int kInitialised = ::ares_library_init(ARES_LIB_INIT_ALL);
  ares_options options{};
  options.timeout = static_cast<int>(std::chrono::duration_cast<std::chrono::milliseconds>(policy.timeout).count());
  options.tries = kTries;
  options.lookups = const_cast<char*>("fb");  // the hosts file first, as everywhere
  options.sock_state_cb = [](void* self, ares_socket_t descriptor, int readable, int writable) {
    static_cast<DnsLookup*>(self)->watch(descriptor, readable != 0, writable != 0);
  };
  options.sock_state_cb_data = this;
  const int mask = ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_LOOKUPS | ARES_OPT_SOCK_STATE_CB;
  int status = kInitialised != ARES_SUCCESS ? kInitialised : ::ares_init_options(&channel_, &options, mask);
  if (status == ARES_SUCCESS && !policy.servers.empty()) {
    status = ::ares_set_servers_ports_csv(channel_, joined(policy.servers).c_str());
  }
  status == ARES_SUCCESS ? ask(AF_UNSPEC) : finish(Resolved::Error, sentence(status));
}

DnsLookup::~DnsLookup() {
  over_ = true;
  if (channel_ != nullptr) ::ares_destroy(channel_);
}

void DnsLookup::ask(int family) {
  family_ = family;
  ares_addrinfo_hints hints{};
  hints.ai_family = family;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = ARES_AI_NOSORT;
  const auto done = [](void* self, int status, int, ares_addrinfo* answer) {
    auto* lookup = static_cast<DnsLookup*>(self);
    if (!lookup->over_ && !lookup->outcome_) {
      lookup->family_ == AF_UNSPEC ? lookup->answered(status, answer) : lookup->answered_again(status, answer);
    }
    if (answer != nullptr) ::ares_freeaddrinfo(answer);
  };
  ::ares_getaddrinfo(channel_, host_.c_str(), nullptr, &hints, done, this);
}

/// c-ares says that the name was resolved as soon as A or AAAA was. A family that the name had before and lacks now is asked
/// for alone, to learn whether it is gone or its answer was lost; it is asked in turn(), outside of c-ares' callback.
void DnsLookup::answered(int status, const ares_addrinfo* answer) {
  if (status != ARES_SUCCESS || answer == nullptr) return finish(meaning(status), sentence(status));
  take(*answer);
  if (found_.empty()) return finish(Resolved::Empty, sentence(ARES_ENODATA));
  if (!asked_servers_) {
    ttl_ = kHostsFileTtl;
    return finish(Resolved::Success, {});
  }
  for (const int family : {AF_INET, AF_INET6}) {
    if (lacks(family)) missing_ = family;
  }
  if (missing_ == 0) finish(Resolved::Success, {});
}

void DnsLookup::answered_again(int status, const ares_addrinfo* answer) {
  if (status == ARES_SUCCESS && answer != nullptr) {
    take(*answer);
  } else if (status != ARES_ENODATA && status != ARES_ENOTFOUND) {
    const auto is_missing = [this](const net::Address& one) { return one.get()->sa_family == family_; };
    std::copy_if(last_.begin(), last_.end(), std::back_inserter(found_), is_missing);
    ttl_ = std::min(ttl_, kLongestRetry);
  }
  finish(Resolved::Success, {});
}

void DnsLookup::take(const ares_addrinfo& answer) {
  // RFC 2181 §8: a TTL with the highest bit set is 0.
  const auto heed = [this](int ttl) { ttl_ = std::min<Duration>(ttl_, std::chrono::seconds(std::max(ttl, 0))); };
  for (const ares_addrinfo_cname* alias = answer.cnames; alias != nullptr; alias = alias->next) heed(alias->ttl);
  for (const ares_addrinfo_node* node = answer.nodes; node != nullptr && found_.size() < kMostRead; node = node->ai_next) {
    heed(node->ai_ttl);
    if (node->ai_family == AF_INET) {
      found_.push_back(net::make_four(&reinterpret_cast<const sockaddr_in*>(node->ai_addr)->sin_addr, 0));
    } else if (node->ai_family == AF_INET6) {
      found_.push_back(net::make_six(&reinterpret_cast<const sockaddr_in6*>(node->ai_addr)->sin6_addr, 0));
    }
  }
}

bool DnsLookup::lacks(int family) const {
  const auto is_of_it = [family](const net::Address& one) { return one.get()->sa_family == family; };
  return std::any_of(last_.begin(), last_.end(), is_of_it) && std::none_of(found_.begin(), found_.end(), is_of_it);
}

void DnsLookup::finish(Resolved result, std::string why) {
  outcome_.emplace();
  outcome_->result = result;
  outcome_->why = std::move(why);
  outcome_->ttl = ttl_;
  if (result == Resolved::Success) outcome_->addresses = with_a_route(found_);
}

void DnsLookup::watch(int descriptor, bool readable, bool writable) {
  asked_servers_ = true;
  const auto is_it = [descriptor](const pollfd& one) { return one.fd == descriptor; };
  const auto at = std::find_if(descriptors_.begin(), descriptors_.end(), is_it);
  if (!readable && !writable) {
    if (at != descriptors_.end()) descriptors_.erase(at);
    return;
  }
  const auto events = static_cast<short>((readable ? POLLIN : 0) | (writable ? POLLOUT : 0));
  if (at != descriptors_.end()) {
    at->events = events;
  } else {
    descriptors_.push_back({descriptor, events, 0});
  }
}

Duration DnsLookup::wait(TimePoint now) const {
  timeval most{};
  const auto left = std::chrono::duration_cast<std::chrono::microseconds>(std::max<Duration>(ends_ - now, {})).count();
  most.tv_sec = static_cast<time_t>(left / 1'000'000);
  most.tv_usec = static_cast<suseconds_t>(left % 1'000'000);
  timeval found{};
  const timeval* const next = ::ares_timeout(channel_, &most, &found);
  return std::chrono::seconds(next->tv_sec) + std::chrono::microseconds(next->tv_usec);
}

void DnsLookup::turn(const std::vector<pollfd>& ready, TimePoint now) {
  if (outcome_) return;
  for (const pollfd& one : ready) {
    if (one.revents == 0) continue;
    const bool broken = (one.revents & ~(POLLIN | POLLOUT)) != 0;
    const bool readable = broken || (one.revents & POLLIN) != 0;
    const bool writable = (one.revents & POLLOUT) != 0;
    ::ares_process_fd(channel_, readable ? one.fd : ARES_SOCKET_BAD, writable ? one.fd : ARES_SOCKET_BAD);
  }
  ::ares_process_fd(channel_, ARES_SOCKET_BAD, ARES_SOCKET_BAD);  // what has timed out
  if (!outcome_ && missing_ != 0) ask(std::exchange(missing_, 0));
  if (outcome_ || now < ends_) return;
  found_.empty() ? finish(Resolved::Timeout, sentence(ARES_ETIMEOUT)) : answered_again(ARES_ETIMEOUT, nullptr);
}

}  // namespace tidegate::upstream
