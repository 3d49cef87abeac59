#include "forward/retry.h"

#include <algorithm>

#include "forward/worker.h"

namespace tidegate::forward {

namespace {

constexpr std::uint32_t kBudgetFloor = 3;

bool is_retryable(const route::RetryPolicy& policy, Failure failure, std::uint16_t status) noexcept {
  switch (failure) {
    case Failure::None:
      return std::find(policy.on_statuses.begin(), policy.on_statuses.end(), status) != policy.on_statuses.end();
    case Failure::Connect: return policy.on_connect;
    case Failure::Reset: return policy.on_reset;
    case Failure::Timeout: return policy.on_timeout;
    default: return false;
  }
}

}  // namespace

bool may_repeat(const route::RetryPolicy& policy, http::Method method) noexcept {
  return policy.methods == route::RetryPolicy::Methods::Safe ? http::is_safe(method) : http::is_idempotent(method);
}

bool has_budget(const RouteRuntime& route) noexcept {
  const auto allowed = static_cast<std::uint32_t>(route.route->policy.retry.budget * route.in_flight);
  return route.retrying < std::max(allowed, kBudgetFloor);
}

RetryDecision decide_retry(const RetryQuestion& q) noexcept {
  const route::RetryPolicy& policy = q.route.route->policy.retry;
  if (q.ended || q.attempts > policy.retries) return {};
  const bool was_sent = q.failure != Failure::Connect;
  if (!is_retryable(policy, q.failure, q.status) || (was_sent && !may_repeat(policy, q.request.method)) || !q.holds_body) return {};
  RetryDecision out;
  out.split = q.route.route->live->split();
  const auto may_ask = [&](Side side) { return side == Side::Old || out.split.weight != Weight::none(); };
  // What is not safe to do twice goes to new by its weight alone: old may be where the data is.
  const bool may_change = q.side == Side::New || may_repeat(policy, q.request.method);
  out.side = policy.other_side && may_change ? other(q.side) : q.side;
  if (!q.is_usable[out.side] && q.is_usable[q.side]) out.side = q.side;
  if (!may_ask(out.side)) out.side = Side::Old;
  out.uses_budget = !(q.side == Side::New && out.side == Side::Old);
  if (out.uses_budget && !q.on_budget && !has_budget(q.route)) return {};
  out.retry = true;
  return out;
}

bool was_never_looked_at(const upstream::Channel& channel) noexcept {
  if (channel.frames != nullptr && channel.frames->unprocessed()) return true;
  // A stream that the upstream resets it has looked at; only a connection that went under it may have been idle for the peer.
  if (channel.frames != nullptr && !channel.frames->connection_lost()) return false;
  return channel.is_reused() && channel.received.empty();
}

Duration backoff(const route::BackoffPolicy& policy, std::uint32_t asked, std::uint64_t chance) noexcept {
  if (asked == 0) return Duration::zero();
  Duration most = policy.base;
  for (std::uint32_t i = 1; i < asked && most < policy.most; ++i) most *= 2;
  most = std::min(most, policy.most);
  return std::chrono::duration_cast<Duration>(most * (static_cast<double>(chance >> 11) * 0x1.0p-53));
}

}  // namespace tidegate::forward
