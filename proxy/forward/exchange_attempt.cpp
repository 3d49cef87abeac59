// One attempt: a connection, the request on it, the response's head; and what its failure means.
#include "forward/exchange.h"

#include <utility>

#include "forward/outcome.h"
#include "forward/rewrite.h"
#include "forward/session.h"
#include "forward/worker.h"

namespace tidegate::forward {

Task<> Exchange::attempt() {
  ++attempts_;
  ++asked_[side_];
  failure_ = Failure::None;
  failure_counted_ = dispatched_ = overtaken_ = has_head_ = false;
  if (reuse_ != upstream::Reuse::Never) try_expired_ = false;
  attempt_started_ = worker_.reactor.now();
  if (client_gone_ || cut_off_) {
    failure_ = Failure::Canceled;
    co_return;
  }
  if (!take_idle_connection()) {
    const bool connected = co_await connect();  // never in the condition itself: see base/task.h
    if (!connected) co_return;
  }
  encode_request_head();
  if (request_.framing != http::Framing::None) {
    upload_ = upload();
    upload_.start();
  } else {
    net::IoStatus sent = net::IoStatus::Ok;
    if (http::Frames* const frames = lease_->frames) {
      if (!frames->send_head(encoded_, upgrade_.empty())) sent = net::IoStatus::Reset;
    } else {
      const iovec part{encoded_.data(), encoded_.size()};
      const net::IoResult result = co_await lease_->stream.send({&part, 1}, cluster().pool.policy().timeouts.idle);
      sent = result.status;
    }
    encoded_.release();  // while the answer is awaited nothing but the request's own bytes is held
    launch_mirror();
    if (sent != net::IoStatus::Ok) co_return settle_send(sent);
  }
  co_await read_response_head();
}

/// For the gate: counted when the request leaves for the side, not while it waits in Tidegate's own queue.
void Exchange::dispatched(void* self) {
  auto* exchange = static_cast<Exchange*>(self);
  exchange->dispatched_ = true;
  if (exchange->reuse_ == upstream::Reuse::Never) return;  // the same request again, on a new connection
  exchange->route_->ledger->dispatched(exchange->side_, exchange->split_.step);
  if (!std::exchange(exchange->is_on_way_, false)) exchange->start_clocks();
}

/// It waits for a connection that is made for many.
void Exchange::set_out(void* self) {
  auto* exchange = static_cast<Exchange*>(self);
  exchange->is_on_way_ = true;
  if (exchange->reuse_ != upstream::Reuse::Never) exchange->start_clocks();
}

/// What a client takes to send its body is not the side's time.
void Exchange::start_clocks() {
  if (request_.framing != http::Framing::None) return;
  start_try_clock();
  start_slow_clock();
  plan_hedge();
}

/// It has waited: a revert is in force for it, too.
bool Exchange::may_leave_the_queue(void* self) {
  auto* exchange = static_cast<Exchange*>(self);
  const route::SplitState split = exchange->route_->route->live->split();
  exchange->overtaken_ = exchange->side_ == Side::New && split.weight == Weight::none();
  return !exchange->overtaken_;
}

/// It may have waited: a ledger must not see a step that is over.
void Exchange::left_the_queue(void* self) {
  auto* exchange = static_cast<Exchange*>(self);
  if (exchange->reuse_ != upstream::Reuse::Never) exchange->split_ = exchange->route_->route->live->split();
  dispatched(self);
}

/// Nothing has left for new, and nothing may any more.
bool Exchange::turn_to_old() {
  if (!overtaken_ || has_ended()) return false;
  overtaken_ = dispatched_ = is_on_way_ = false;
  slow_clock_.disarm();  // of an attempt that was stale
  try_clock_.disarm();
  hedge_clock_.disarm();
  --asked_[Side::New];
  side_ = Side::Old;
  split_ = route_->route->live->split();
  reuse_ = http::is_idempotent(request_.method) ? upstream::Reuse::Any : upstream::Reuse::Certain;
  avoided_ = upstream::Pool::kNobody;
  return true;
}

/// Like the slow clock, and for the same reason.
void Exchange::start_try_clock() {
  const Duration limit = route_->route->policy.retry.per_try_timeout;
  if (limit > Duration::zero()) worker_.reactor.arm(try_clock_, limit);
}

void Exchange::try_expired(void* self) {
  auto* exchange = static_cast<Exchange*>(self);
  exchange->try_expired_ = true;
  exchange->cancel_upstream();
}

/// From the dispatch, or from the end of the request's body: what a client takes to send it is not the side's time.
void Exchange::start_slow_clock() {
  const Duration over = route_->slow_over;
  if (over == Duration::zero()) return;
  slow_after_ = worker_.reactor.now() + over;
  worker_.reactor.arm(slow_clock_, over);
}

/// The response's head, or the attempt's end, came first.
void Exchange::end_slow_clock() {
  if (!slow_clock_.armed()) return;
  slow_clock_.disarm();
  if (worker_.reactor.now() > slow_after_) became_slow(this);
}

/// The gate knows at `over`, not when the answer comes (the gate's rule §3.2).
void Exchange::became_slow(void* self) {
  auto* exchange = static_cast<Exchange*>(self);
  if (!exchange->dispatched_) {  // its connection is being made; or it waits in the queue again, which is not the side's time
    if (!exchange->acquisition_.is_on_its_way()) return;
    exchange->acquisition_.dispatch();
  }
  const std::uint32_t step = exchange->route_->route->live->split().step;
  exchange->route_->ledger->slow(exchange->side_, exchange->split_.step, step);
}

/// Whom the cluster is told about, where it is told.
upstream::Client* Exchange::announced() {
  return cluster().pool.policy().proxy_protocol ? &client_->session().client() : nullptr;
}

/// Where the protocol is for TLS to agree on, HTTP/1.1 is what every server can change from.
upstream::Carrying Exchange::carrying() const noexcept {
  const bool chosen = cluster().pool.policy().protocol == upstream::Protocol::Http2;
  return upgrade_.empty() || chosen ? upstream::Carrying::Any : upstream::Carrying::One;
}

/// The usual way to a connection: no waiting, no coroutine.
bool Exchange::take_idle_connection() {
  upstream::Pool& pool = cluster().pool;
  if (reuse_ != upstream::Reuse::Never && !http::is_idempotent(request_.method)) reuse_ = upstream::Reuse::Certain;
  lease_ = pool.take_idle(reuse_, announced(), carrying(), avoided_);
  if (!lease_) return false;
  dispatched(this);
  upstream_host_ = pool.endpoint_text(*lease_);
  return true;
}

Task<bool> Exchange::connect() {
  acquisition_.set_events({&Exchange::left_the_queue, &Exchange::set_out, &Exchange::may_leave_the_queue, this});
  is_on_way_ = false;
  const bool has_rest = request_.framing != http::Framing::None && !request_whole_;  // its time begins with its end; that in the queue is Tidegate's
  if (has_rest) start_route_clock(route_->route->policy.timeout);
  upstream::Acquired acquired = co_await cluster().pool.acquire(acquisition_, reuse_, announced(), carrying(), avoided_);
  if (overtaken_ && hedging_) co_await give_up_hedge();
  if (turn_to_old()) {
    ++asked_[side_];
    acquired = co_await cluster().pool.acquire(acquisition_, reuse_, announced(), carrying(), avoided_);
  }
  if (has_rest) {
    route_deadline_.disarm();
    start_route_clock(Duration::zero());
  }
  upstream_host_ = acquired.endpoint;
  if (acquired.failure != Failure::None) {
    if (acquired.failure == Failure::Overflow && acquired.error_number != 0) {
      refusal_reason_ = "no descriptor, port or memory for an upstream connection";
    }
    if (acquired.was_queued && try_expired_ && !timed_out_) {  // nobody's failure, and a reason to be asked elsewhere all the same
      slow_clock_.disarm();
      failure_ = Failure::Timeout;
      if (retry_decision().retry) {
        launch_mirror();
        co_return false;
      }
    }
    fail(acquired.failure);
    launch_mirror();
    co_return false;
  }
  lease_ = std::move(acquired.lease);
  upstream_host_ = cluster().pool.endpoint_text(*lease_);
  co_return true;
}

void Exchange::encode_request_head() {
  RequestContext context = request_context();
  context.host = cluster().pool.policy().host;
  context.upgrade = upgrade_;
  if (upgrade_ == http::kWebSocket && client_->frames() != nullptr) {
    websocket_key_ = http::make_websocket_key(worker_.random.next(), worker_.random.next());
    context.websocket_key = http::text(websocket_key_);
  }
  if (!context.host && request_.authority.empty()) context.host = cluster().pool.endpoint(*lease_).authority();  // HTTP/1.0 without Host
  Buffer& out = request_.framing == http::Framing::None ? encoded_ : encoded_up_;
  out.clear();
  encode_request(out, request_, context);
}

/// The request could not be sent.
void Exchange::settle_send(net::IoStatus status) {
  if (status == net::IoStatus::Reset && is_stale_connection()) {
    stale_ = true;
    failure_ = Failure::Reset;
    return;
  }
  fail(status == net::IoStatus::TimedOut ? Failure::Timeout
       : status == net::IoStatus::Canceled ? Failure::Canceled
                                           : Failure::Reset);
}

Task<> Exchange::read_response_head() {
  const upstream::ClusterTimeouts& timeouts = cluster().pool.policy().timeouts;
  response_decoder_.reset(request_.method);
  response_due_ = worker_.reactor.now() + timeouts.response_header;
  int informational = 0;
  for (;;) {
    const http::HeadState state = lease_->take_head(response_decoder_, response_);
    if (state != http::HeadState::NeedMore) {
      if (state == http::HeadState::Refused) {
        refusal_reason_ = response_decoder_.refusal().reason;
        co_return fail(Failure::Protocol);
      }
      if (state == http::HeadState::Done && response_.status >= 200) break;
      if (state == http::HeadState::Done && is_switch() && is_accepted()) break;
      if (state == http::HeadState::Done) {
        if (response_.status == 101 || ++informational > http::kInformationalResponses) {
          refusal_reason_ = "unexpected informational response";
          co_return fail(Failure::Protocol);
        }
        const bool relayed = co_await relay_informational();
        if (!relayed) co_return fail(Failure::Canceled);
        lease_->drop_head(response_decoder_);
        response_decoder_.reset(request_.method);
        continue;
      }
    }
    Duration left = Duration::zero();  // while the body still goes up, its own progress is the clock
    if (!uploading_) {
      left = response_due_ - worker_.reactor.now();
      if (left <= Duration::zero()) left = net::TimerWheel::kTick;
    }
    const net::IoResult read = co_await lease_->await_head(left);
    switch (read.status) {
      case net::IoStatus::Ok: break;
      case net::IoStatus::TimedOut: co_return fail(Failure::Timeout);
      case net::IoStatus::Canceled:
        co_return fail(timed_out_ || try_expired_ || upload_end_ == PumpEnd::SinkTimedOut ? Failure::Timeout : Failure::Canceled);
      case net::IoStatus::NotSpliced:  // never here: a head is read into a buffer
      case net::IoStatus::Eof:
      case net::IoStatus::Reset:
        if (lease_->frames != nullptr && !lease_->frames->refusal().empty()) co_return do_without_tunnel();
        if (informational > 0 || !is_stale_connection()) co_return fail(Failure::Reset);
        stale_ = true;
        failure_ = Failure::Reset;
        co_return;
    }
  }
  accept_head();
}

void Exchange::accept_head() {
  has_head_ = true;
  service_time_ = worker_.reactor.now() - attempt_started_;
  if (may_hedge()) usual_time().note(service_time_);
  if (!hedging_) try_clock_.disarm();  // it is the hedge's as well
  end_slow_clock();
  cluster().pool.note(*lease_, response_.status >= 500 ? upstream::Pool::Outcome::Failed : upstream::Pool::Outcome::Answered);
  if (is_error(route_->errors, response_.status)) count_failure(Failure::Status);
}

/// Nobody's failure, and made again at once on a new connection.
bool Exchange::is_stale_connection() const {
  if (lease_->frames != nullptr && lease_->frames->unsent() && renewals_ < kMostRenewals) return holds_body();
  if (reuse_ == upstream::Reuse::Never || !holds_body() || !was_never_looked_at(*lease_)) return false;
  return http::is_idempotent(request_.method) || (lease_->frames != nullptr && lease_->frames->unprocessed());
}

/// The upstream speaks HTTP/2 and does not offer RFC 8441. An Upgrade may be ignored (RFC 9110 §7.8): the request is made again as an
/// ordinary one. An extended CONNECT is nothing else. Neither is a failure of the side: any client could make it fail.
void Exchange::do_without_tunnel() {
  if (client_->frames() == nullptr) {
    upgrade_ = {};
    stale_ = true;
    failure_ = Failure::Reset;
    return;
  }
  client_fault_ = 501;
  refusal_reason_ = lease_->frames->refusal();
  fail(Failure::Canceled);
}

Task<bool> Exchange::relay_informational() {
  if (is_http10()) co_return true;  // RFC 9110 §15.2: not to an HTTP/1.0 client
  encoded_.clear();
  encode_informational(encoded_, response_);
  const bool sent = co_await send_head();
  co_return sent;
}

void Exchange::fail(Failure why) {
  // An upstream keeps the deadline of a call as well, and may be the first to act.
  if (call_deadline_ <= worker_.reactor.now() + net::TimerWheel::kTick) call_expired_ = true;
  if (call_expired_) why = Failure::Canceled;
  if (why == Failure::Canceled && (timed_out_ || try_expired_) && !client_gone_ && !call_expired_) why = Failure::Timeout;
  if (why == Failure::Timeout && !dispatched_) why = Failure::Overflow;  // it waited in Tidegate's own queue
  failure_ = why;
  if (!hedging_) try_clock_.disarm();
  end_slow_clock();
  if (call_expired_ && is_grpc_error(route_->errors, static_cast<std::uint32_t>(http::GrpcCode::DeadlineExceeded))) {
    count_failure(Failure::Status);
  }
  if (why == Failure::Canceled) return;
  if (lease_) cluster().pool.note(*lease_, has_head_ ? upstream::Pool::Outcome::Broken : upstream::Pool::Outcome::Failed);
  count_failure(why);
}

}  // namespace tidegate::forward
