// Whether a failed attempt is made again, and on which side. A value in, a value out.
//
// The retry goes to the other side where the route says so and that side may take requests: new only while its weight is
// above zero (a latched revert holds for retries too). A retry that saves a request of new by asking old is not limited
// by the budget: old gets no more than it would after the revert. Any other retry is (Envoy's rule: a share of the
// exchanges in flight, at least 3), so that a sick cluster is not asked twice as often.
#pragma once

#include <cstdint>

#include "base/clock.h"
#include "base/failure.h"
#include "base/side.h"
#include "http/head.h"
#include "route/live.h"
#include "route/policy.h"
#include "upstream/channel.h"

namespace tidegate::forward {

struct RouteRuntime;

struct RetryQuestion {
  const RouteRuntime& route;
  const http::RequestHead& request;
  Failure failure;            ///< None: an answer came, with `status`
  std::uint16_t status;
  Side side;                  ///< of the attempt
  std::uint32_t attempts;     ///< made so far
  bool on_budget;             ///< an earlier retry of this exchange is on the budget already
  bool holds_body;            ///< all of the request's body that was sent can be sent again; without a body true
  PerSide<bool> is_usable;    ///< the side has an endpoint that is well
  bool ended;                 ///< nobody waits for an answer, or the time is over
};

struct RetryDecision {
  bool retry = false;
  Side side = Side::Old;
  route::SplitState split{};  ///< what the next attempt sees
  bool uses_budget = false;
};

/// The route makes attempts of requests with this method again.
bool may_repeat(const route::RetryPolicy& policy, http::Method method) noexcept;
/// One exchange more may have a retry or a hedge.
bool has_budget(const RouteRuntime& route) noexcept;
RetryDecision decide_retry(const RetryQuestion& question) noexcept;

/// A request's attempt broke off without a word of the upstream: the peer had closed an idle connection just when the request was
/// written, or says that it did nothing with it. Nobody's failure; and safe to do again if the request is idempotent, or the peer
/// says so (RFC 9112 §9.3.1, RFC 9110 §9.2.2, RFC 9113 §8.7).
bool was_never_looked_at(const upstream::Channel& channel) noexcept;

/// How long to wait before a side is asked once more: a random part of a time that doubles (full jitter, as Envoy's), so that those who
/// failed together do not come back together.
/// @param asked how often this exchange has asked the side; 0: it goes there at once. @param chance any number
Duration backoff(const route::BackoffPolicy& policy, std::uint32_t asked, std::uint64_t chance) noexcept;

}  // namespace tidegate::forward
