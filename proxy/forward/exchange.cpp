// The story of an exchange, and its life: what begins it, what ends it early, what it leaves behind. The phases are in the files
// beside this one: exchange_admit (where to), exchange_attempt (one try), exchange_body (the request's body, the client's
// pace), exchange_deliver (the answer), exchange_switch (a connection that changes its protocol), exchange_record (what it came to).
#include "forward/exchange.h"

#include <algorithm>
#include <utility>

#include "forward/session.h"
#include "forward/worker.h"

namespace tidegate::forward {

Exchange::Exchange(Worker& worker)
    : worker_(worker),
      encoded_(worker.reactor.blocks(), BlockSize::Small),
      encoded_up_(worker.reactor.blocks(), BlockSize::Small),
      body_(worker.reactor.blocks()),
      pace_clock_(&Exchange::look_at_pace, this),
      route_deadline_(&Exchange::route_expired, this),
      slow_clock_(&Exchange::became_slow, this),
      try_clock_(&Exchange::try_expired, this),
      hedge_clock_(&Exchange::hedge_due, this) {}

ClusterRuntime& Exchange::cluster() const noexcept { return *route_->clusters[side_]; }

void Exchange::attach(Downstream& client) {
  client_ = &client;
  route_ = nullptr;
  split_ = {};
  has_side_ = false;
  attempts_ = renewals_ = 0;
  asked_ = {};
  on_budget_ = stale_ = try_expired_ = hedged_ = hedge_answered_ = false;
  reuse_ = upstream::Reuse::Any;
  avoided_ = failed_at_ = upstream::Pool::kNobody;
  failure_ = Failure::None;
  upload_end_ = PumpEnd::Complete;
  request_whole_ = false;
  client_fault_ = 0;
  too_slow_ = false;
  copy_ = nullptr;
  mirrored_ = false;
  call_ = call_expired_ = false;
  upgrade_ = {};
  leaving_ = counted_ = was_tunnel_ = spilled_ = false;
  call_code_ = http::GrpcCode::Unknown;
  call_deadline_ = TimePoint::max();
  timed_out_ = client_gone_ = cut_off_ = survives_ = needs_linger_ = response_begun_ = truncated_ = must_reset_ = false;
  started_ = worker_.reactor.now();
  service_time_ = Duration(-1);
  head_bytes_ = 0;
  status_ = 0;
  bytes_sent_ = bytes_received_ = 0;
  refusal_reason_ = request_id_ = trace_id_ = new_traceparent_ = upstream_host_ = {};
}

/// A body gets a buffer of its own: the head stays where it is, for retries and the log.
void Exchange::begin(std::size_t head_bytes) {
  head_bytes_ = head_bytes;
  if (!request_.protocol.empty()) {  // from here on what HTTP/1.1 would have: GET with Upgrade (RFC 8441 §5)
    request_.method = http::Method::Get;
    request_.method_token = "GET";
    request_.framing = http::Framing::None;
    request_.content_length = 0;
    request_.has_content_length = request_.expects_continue = false;
  }
  call_ = http::is_grpc(request_);
  if (request_.framing == http::Framing::None) return;
  Buffer& received = client_->received();
  const std::string_view rest = received.view().substr(head_bytes);
  if (!rest.empty()) body_.append(rest);
  received.drop_back(rest.size());
  upload_end_ = PumpEnd::Canceled;  // until it was carried to its end
}

// --- the story

Task<> Exchange::run() {
  if (!has_listeners_scheme() || !has_hops_left() || (!http::has_plain_path(request_.target) && !settle_path()) || !find_route() || !consider_upgrade()) {
    co_await reply(status_, refusal_reason_);
    finish();
    co_return;
  }
  identify();
  choose_side();
  consider_mirror();
  watch_client();
  for (;;) {
    co_await attempt();
    hedge_clock_.disarm();
    if (hedging_) co_await settle_hedge();
    if (!wants_retry()) break;
    const bool begun = co_await begin_retry();
    if (!begun) break;
  }
  if (failure_ == Failure::None && is_switch()) {
    co_await switch_protocols();
  } else if (failure_ == Failure::None) {
    co_await deliver();
  } else {
    co_await answer_failure();
  }
  if (upload_) co_await end_upload();
  finish();
}

Task<> Exchange::refuse(const http::Refusal& refusal) {
  refusal_reason_ = refusal.reason;
  co_await reply(refusal.status, refusal.reason);
  needs_linger_ = true;
  finish();
}

/// Whether the attempt is made again: because it was never looked at, or because the route says so.
bool Exchange::wants_retry() {
  if (stale_) {
    if (!has_ended() && client_fault_ == 0) return true;
    stale_ = false;
    fail(timed_out_ || try_expired_ ? Failure::Timeout : Failure::Canceled);
  }
  retry_ = retry_decision();
  return retry_.retry;
}

RetryDecision Exchange::retry_decision() const {
  if (failure_ == Failure::None && response_.status < 500) return {};
  const PerSide<bool> is_usable{{route_->clusters[Side::Old]->pool.is_usable(), route_->clusters[Side::New]->pool.is_usable()}};
  return decide_retry({*route_, request_, failure_, failure_ == Failure::None ? response_.status : std::uint16_t{0}, side_, attempts_,
                       on_budget_, holds_body(), is_usable, client_gone_ || cut_off_ || timed_out_ || client_fault_ != 0});
}

bool Exchange::take_budget() noexcept {
  if (on_budget_) return true;
  if (!has_budget(*route_)) return false;
  ++route_->retrying;
  return on_budget_ = true;
}

/// Ends what is left of the attempt and waits, without a connection, where the side was asked before.
/// @return false: the exchange has ended meanwhile, and why is in `failure_`.
Task<bool> Exchange::begin_retry() {
  const std::size_t failed_at = std::exchange(failed_at_, upstream::Pool::kNobody);
  const std::size_t target = lease_ ? lease_->target() : failed_at;
  if (upload_) co_await rewind_upload();
  lease_.drop();
  if (std::exchange(stale_, false)) {
    --attempts_;
    ++renewals_;
    reuse_ = upstream::Reuse::Never;
    overtaken_ = side_ == Side::New && route_->route->live->split().weight == Weight::none();
    if (!turn_to_old()) --asked_[side_];
    co_return true;
  }
  reuse_ = upstream::Reuse::Any;
  refusal_reason_ = {};
  if (retry_.uses_budget) take_budget();  // decide_retry() has seen that it is there
  const Duration length = backoff(route_->route->policy.retry.backoff, asked_[retry_.side], worker_.random.next());
  co_await pause_.wait(worker_.reactor, length);
  if (client_gone_ || cut_off_ || timed_out_) {
    failure_ = timed_out_ && !client_gone_ ? Failure::Timeout : Failure::Canceled;
    co_return false;
  }
  split_ = route_->route->live->split();
  const Side side = retry_.side == Side::New && split_.weight == Weight::none() ? Side::Old : retry_.side;  // reverted meanwhile
  avoided_ = side == side_ ? target : upstream::Pool::kNobody;
  side_ = side;
  route_->counters->retries[side_].add();
  co_return true;
}

/// The upload waits on the lease's stream or on the client: it ends before the lease does.
Task<> Exchange::end_upstream() {
  if (upload_) co_await end_upload();
  lease_.drop();
}

void Exchange::finish() {
  client_->stream().on_hangup(nullptr, nullptr);
  route_deadline_.disarm();
  slow_clock_.disarm();
  try_clock_.disarm();
  pace_clock_.disarm();
  launch_mirror();
  if (copy_ != nullptr) std::exchange(copy_, nullptr)->abandon();
  if (upload_pump_) upload_pump_->forget();
  upload_pump_.reset();
  if (client_gone_ && !response_begun_) status_ = 499;
  count_outcome();
  if (worker_.access_log != nullptr) log();
  lease_.drop();
  if (truncated_ || client_gone_ || cut_off_) survives_ = needs_linger_ = false;
  if (route_ != nullptr) --std::exchange(route_, nullptr)->generation->exchanges;  // from here on the route may be gone
  settle_buffers();
}

/// What follows the request in the connection becomes the front of the session's buffer.
void Exchange::settle_buffers() {
  Buffer& received = client_->received();
  if (request_.framing != http::Framing::None && head_bytes_ != 0) {
    received.clear();
    received.swap(body_);
    body_.release();
  } else {
    received.consume(std::min(head_bytes_, received.size()));
  }
  encoded_.release();
  encoded_up_.release();
}

// --- what ends it early

void Exchange::watch_client() {
  net::ByteStream& client = client_->stream();
  client.on_hangup(&Exchange::client_hung_up, this);
  if (client.ended()) client_hung_up(this);
  if (call_) {
    if (const auto limit = http::grpc_timeout(request_)) call_deadline_ = started_ + *limit;
  }
  start_route_clock(request_.framing == http::Framing::None ? route_->route->policy.timeout : Duration::zero());
}

/// @param of_side from the complete request on, because what a client takes to send its body is not the side's time; zero: no limit.
/// A call's own deadline is the client's, and counts from the begin.
void Exchange::start_route_clock(Duration of_side) {
  Duration limit = of_side;
  if (call_deadline_ != TimePoint::max()) {
    const Duration left = std::max<Duration>(call_deadline_ - worker_.reactor.now(), net::TimerWheel::kTick);
    if (limit == Duration::zero() || left < limit) limit = left;
  }
  if (limit > Duration::zero()) worker_.reactor.arm(route_deadline_, limit);
}

/// The client has ended its direction. With nothing left to read it is taken to have left, as Envoy, NGINX and Go do;
/// with a pipelined request still unread, or a body that the upload reads to its end, it has not. A reset always means it.
void Exchange::client_hung_up(void* self) {
  auto* exchange = static_cast<Exchange*>(self);
  if (!exchange->client_has_left()) {
    exchange->client_->stream().on_hangup(&Exchange::client_hung_up, self);  // a reset may follow
    return;
  }
  exchange->client_gone_ = true;
  exchange->cancel_upstream();
}

bool Exchange::client_has_left() {
  if (client_->stream().broken()) return true;
  const bool has_body = request_.framing != http::Framing::None;
  if (has_body && !upload_complete()) return false;
  const bool pipelined = has_body ? body_.size() > upload_pump_->kept : client_->received().size() > head_bytes_;
  return !pipelined && client_->stream().at_end();
}

void Exchange::route_expired(void* self) {
  auto* exchange = static_cast<Exchange*>(self);
  net::ByteStream& client = exchange->client_->stream();
  if (!exchange->tunnel_ && client.is_sending()) {  // it does not read its response: nobody's failure but its own
    exchange->client_gone_ = true;
    client.cancel();
    return;
  }
  if (exchange->tunnel_) return exchange->watch_revert();
  exchange->timed_out_ = true;
  exchange->call_expired_ = exchange->worker_.reactor.now() >= exchange->call_deadline_;
  exchange->cancel_upstream();
}

void Exchange::leave() {
  if (tunnel_) tunnel_->leave();
}

void Exchange::cut_off() noexcept {
  cut_off_ = true;
  if (tunnel_) return tunnel_->cancel();
  cancel_upstream();
}

/// The exchange may be over, and serve another request already, when this returns.
void Exchange::cancel_upstream() noexcept {
  if (!awaits_hedge_) return cancel_attempt();
  if (lease_) lease_->stream.cancel();  // an answer that waits for the hedge is not sent either; nobody reads it now
  hedge_->cancel();
}

void Exchange::cancel_attempt() noexcept {
  if (lease_) {
    lease_->stream.cancel();
  } else if (pause_.active()) {
    pause_.end();
  } else {
    const bool late = (timed_out_ || try_expired_) && !client_gone_ && !cut_off_ && !call_expired_;
    acquisition_.cancel(late ? Failure::Timeout : Failure::Canceled);
  }
}

}  // namespace tidegate::forward
