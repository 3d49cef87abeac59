// The mirror of one route on one worker: decides which requests are copied, holds the bounds (rate, concurrency, bytes)
// and owns the copies in flight. A copy never waits for anything that the original needs and the original never waits for
// a copy: what does not fit is dropped and counted, so that received = mirrored + in flight + dropped{reason}.
//
// The bounds are the worker's share of the route's. Owned by the worker, one thread.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "base/intrusive_list.h"
#include "http/grammar.h"
#include "http/head.h"
#include "mirror/copy.h"
#include "observe/counters.h"
#include "route/live.h"
#include "route/policy.h"
#include "route/split.h"
#include "upstream/pool.h"

namespace tidegate::mirror {

/// A worker's part of the route's bounds.
struct Share {
  double rate = 0;                   ///< copies a second; 0 = no cap
  std::uint32_t concurrency = 0;
  std::uint64_t buffer = 0;          ///< bytes
};

class alignas(64) Mirror {  // a cache line: see forward/worker.h
 public:
  Mirror(net::Reactor& reactor, const route::MirrorPolicy& policy, const route::LiveRoute& live, upstream::Pool& pool,
         observe::MirrorCounters& counters, Share share, route::PositionSequence sequence);
  Mirror(const Mirror&) = delete;
  Mirror& operator=(const Mirror&) = delete;
  ~Mirror();

  /// Counts the request and decides. @return a copy that waits for its head, or nullptr. The caller feeds it and must
  /// end it with Copy::end() or Copy::abandon().
  Copy* consider(const http::RequestHead& request);

  /// Counts a request that is not to be copied.
  void refuse(observe::MirrorDrop why) noexcept {
    counters_.received.add();
    counters_.drop(why);
  }

  /// The Host that copies carry, given the original's authority. Good until the next call.
  std::string_view host_for(std::string_view authority, const upstream::ClusterPolicy& cluster);

  /// Drops every copy in flight.
  void drop_all(observe::MirrorDrop why);
  /// Where it is in counting out its share.
  const route::PositionSequence& sequence() const noexcept { return sequence_; }
  /// No copy is in flight.
  bool is_idle() const noexcept { return copies_.empty(); }

 private:
  friend class Copy;
  Copy& take_copy();
  bool take_token() noexcept;
  /// Room for `bytes` more of buffered copies, or not: in the mirror's own budget, and in the memory of all.
  bool charge(std::size_t bytes) noexcept;
  void discharge(std::size_t bytes) noexcept { held_ -= bytes; }
  void on_end(Copy& copy, std::optional<observe::MirrorDrop> dropped);
  void retire(Copy& copy);

  net::Reactor& reactor_;
  const route::MirrorPolicy& policy_;
  const route::LiveRoute& live_;
  upstream::Pool& pool_;
  observe::MirrorCounters& counters_;
  const Share share_;
  route::PositionSequence sequence_;
  List<Copy> copies_;
  List<Copy> spare_;
  std::size_t spare_count_ = 0;
  std::string host_;
  std::uint32_t in_flight_ = 0;
  std::uint64_t held_ = 0;
  double tokens_;
  TimePoint tokens_at_;
};

}  // namespace tidegate::mirror
