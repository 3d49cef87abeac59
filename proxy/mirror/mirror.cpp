#include "mirror/mirror.h"

#include <algorithm>

namespace tidegate::mirror {

using observe::MirrorDrop;

namespace {
constexpr std::size_t kSpareCopies = 256;  // as many as a worker keeps exchanges
}

Mirror::Mirror(net::Reactor& reactor, const route::MirrorPolicy& policy, const route::LiveRoute& live,
               upstream::Pool& pool, observe::MirrorCounters& counters, Share share, route::PositionSequence sequence)
    : reactor_(reactor),
      policy_(policy),
      live_(live),
      pool_(pool),
      counters_(counters),
      share_(share),
      sequence_(sequence),
      tokens_(std::max(1.0, share.rate)),
      tokens_at_(reactor.now()) {}

Mirror::~Mirror() {
  while (Copy* copy = copies_.pop_front()) delete copy;
  while (Copy* copy = spare_.pop_front()) delete copy;
}

Copy* Mirror::consider(const http::RequestHead& request) {
  counters_.received.add();
  const bool wanted =
      std::find(policy_.methods.begin(), policy_.methods.end(), request.method_token) != policy_.methods.end();
  if (!wanted) {
    counters_.drop(MirrorDrop::Method);
  } else if (!route::is_below(sequence_.next(), live_.mirror())) {
    counters_.drop(MirrorDrop::Percent);
  } else if (in_flight_ >= share_.concurrency) {
    counters_.drop(MirrorDrop::Concurrency);
  } else if (!reactor_.has_memory_for_copies()) {
    counters_.drop(MirrorDrop::Buffer);
  } else if (!take_token()) {
    counters_.drop(MirrorDrop::Rate);
  } else {
    Copy& copy = take_copy();
    copy.begin(request.method);
    copies_.push_back(copy);
    ++in_flight_;
    counters_.in_flight.add(1);
    return &copy;
  }
  return nullptr;
}

Copy& Mirror::take_copy() {
  if (spare_.empty()) return *new Copy(*this, reactor_, pool_);
  --spare_count_;
  return *spare_.pop_front();
}

/// Token bucket of one second's worth, so that a burst after silence is bounded too.
bool Mirror::take_token() noexcept {
  if (share_.rate <= 0) return true;
  const TimePoint now = reactor_.now();
  tokens_ = std::min(std::max(1.0, share_.rate), tokens_ + seconds(now - tokens_at_) * share_.rate);
  tokens_at_ = now;
  if (tokens_ < 1.0) return false;
  tokens_ -= 1.0;
  return true;
}

bool Mirror::charge(std::size_t bytes) noexcept {
  if (held_ + bytes > share_.buffer || !reactor_.has_memory_for_copies()) return false;
  held_ += bytes;
  return true;
}

std::string_view Mirror::host_for(std::string_view authority, const upstream::ClusterPolicy& cluster) {
  switch (policy_.host.kind) {
    case route::MirrorHost::Kind::Literal: return policy_.host.value;
    case route::MirrorHost::Kind::Suffix: {
      const std::string_view name = http::without_port(authority);
      host_.assign(name).append(policy_.host.value).append(authority.substr(name.size()));
      return host_;
    }
    case route::MirrorHost::Kind::Preserve: break;
  }
  if (cluster.host) return *cluster.host;
  return authority.empty() ? cluster.endpoints.front().authority() : authority;  // HTTP/1.0 without Host
}

void Mirror::on_end(Copy&, std::optional<MirrorDrop> dropped) {
  --in_flight_;
  counters_.in_flight.add(-1);
  if (dropped) {
    counters_.drop(*dropped);
  } else {
    counters_.mirrored.add();
  }
}

void Mirror::retire(Copy& copy) {
  copy.unlink();
  if (spare_count_ < kSpareCopies) {
    ++spare_count_;
    spare_.push_front(copy);
  } else {
    reactor_.retire(std::unique_ptr<net::Retirable>(&copy));  // what ended it may still be on the stack
  }
}

/// One may end another that waits, and whose end is not due yet stays on the list: its original may still feed it.
void Mirror::drop_all(MirrorDrop why) {
  List<Copy> all;
  while (Copy* copy = copies_.pop_front()) all.push_back(*copy);
  while (Copy* copy = all.pop_front()) {
    copies_.push_back(*copy);
    copy->drop(why);
  }
}

}  // namespace tidegate::mirror
