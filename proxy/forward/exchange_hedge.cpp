// A second attempt beside one that takes unusually long: when it goes out, and which of the two answers. The gate and the client know
// of one attempt: the one that loses is cancelled and counts for nobody.
#include "forward/exchange.h"

#include <utility>

#include "forward/rewrite.h"
#include "forward/session.h"
#include "forward/worker.h"

namespace tidegate::forward {

/// Requests that do no harm twice, and hold nothing back for their body.
bool Exchange::may_hedge() const noexcept {
  return route_->route->policy.hedge && request_.framing == http::Framing::None && http::is_safe(request_.method) && upgrade_.empty();
}

UsualTime& Exchange::usual_time() {
  if (!route_->usual) route_->usual = std::make_unique<PerSide<UsualTime>>();
  return (*route_->usual)[side_];
}

/// The attempt leaves for its side.
void Exchange::plan_hedge() {
  if (hedged_ || !may_hedge()) return;
  Duration after = route_->route->policy.hedge->after;
  if (after == Duration::zero()) after = usual_time().p95(worker_.reactor.now());
  if (after > Duration::zero()) worker_.reactor.arm(hedge_clock_, after);
  hedge_after_ = after;
}

void Exchange::hedge_due(void* self) {
  auto* const exchange = static_cast<Exchange*>(self);
  if (exchange->awaits_hedge_) return exchange->hedge_->cancel();
  exchange->start_hedge();
}

/// Like an attempt, it does not leave for new after a revert.
bool Exchange::wants_hedge(void* self) {
  const auto* const exchange = static_cast<Exchange*>(self);
  return exchange->side_ == Side::Old || exchange->route_->route->live->split().weight != Weight::none();
}

void Exchange::start_hedge() {
  const upstream::ClusterPolicy& policy = cluster().pool.policy();
  const bool nameless = !policy.host && request_.authority.empty();  // HTTP/1.0: its Host is the endpoint's
  if (!wants_hedge(this) || nameless || !take_budget()) return;
  if (!hedge_) hedge_ = std::make_unique<Hedge>(worker_.reactor, Hedge::Events{&Exchange::hedge_won, &Exchange::wants_hedge, this});
  RequestContext context = request_context();
  context.host = policy.host;
  hedge_->head.clear();
  encode_request(hedge_->head, request_, context);
  hedged_ = hedging_ = true;
  hedge_->start(cluster().pool, request_.method, announced(), lease_ ? lease_->target() : upstream::Pool::kNobody);
}

/// Its attempt turns to the other side. There may be another hedge there.
Task<> Exchange::give_up_hedge() {
  hedge_->cancel();
  co_await hedge_->join();
  hedge_->finish();
  route_->counters->hedges[side_][0].add();
  hedging_ = hedged_ = false;
}

/// What the first attempt waits for has no purpose any more. The exchange may be over when this returns.
void Exchange::hedge_won(void* self) { static_cast<Exchange*>(self)->cancel_attempt(); }

/// The attempt has its response's head, or has ended without one. Where that is nothing to be glad of the hedge may yet have a better
/// one. Where there is something else to be done, a retry or an answer of 5xx, it is given once more as long as was waited before it:
/// a silent one must not keep that back. It must not wait for a connection that is held here.
Task<> Exchange::settle_hedge() {
  const bool answered = failure_ == Failure::None && response_.status < 500;
  const bool holds_answer = failure_ == Failure::None;
  if (answered || has_ended() || (holds_answer && !hedge_->has_connection())) hedge_->cancel();
  if (!holds_answer && lease_) {
    failed_at_ = lease_->target();
    lease_.drop();
  }
  awaits_hedge_ = true;
  if (holds_answer || stale_ || retry_decision().retry) worker_.reactor.arm(hedge_clock_, hedge_after_);
  co_await hedge_->join();
  awaits_hedge_ = hedging_ = false;
  hedge_clock_.disarm();
  if (!stale_) try_clock_.disarm();  // else the attempt is made again within its time
  const bool won = !answered && hedge_->won() && !has_ended();
  if (hedge_->failure() != Failure::None) cluster().counters.fail(hedge_->failure());
  route_->counters->hedges[side_][won ? 1 : 0].add();
  if (won) {
    lease_ = hedge_->take();
    response_ = hedge_->response;
    response_decoder_ = hedge_->decoder;
    upstream_host_ = cluster().pool.endpoint_text(*lease_);
    failure_ = Failure::None;
    stale_ = false;
    hedge_answered_ = true;
    refusal_reason_ = {};
    accept_head();
  }
  hedge_->finish();
}

}  // namespace tidegate::forward
