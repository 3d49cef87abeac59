// The request's body on its way up, beside the reading of the response; and the client's pace in both directions.
#include "forward/exchange.h"

#include <algorithm>

#include "forward/retry.h"
#include "forward/session.h"
#include "forward/worker.h"

namespace tidegate::forward {

namespace {
constexpr std::string_view kSlowRequest = "request body slower than limits.min_request_rate";
constexpr std::string_view kSlowResponse = "response read slower than limits.min_response_rate";
}  // namespace

/// How much of the body is held so that it can be sent again: nothing where that cannot come to pass, nor where it would only delay
/// that a long body is passed on without being copied.
std::size_t Exchange::replay_bytes() const noexcept {
  const route::RetryPolicy& policy = route_->route->policy.retry;
  const bool may_be_refused = lease_->frames != nullptr && reuse_ != upstream::Reuse::Never;
  const bool may_be_stale = lease_->is_reused() && reuse_ != upstream::Reuse::Never && http::is_idempotent(request_.method);
  const bool may_be_repeated = attempts_ <= policy.retries && may_repeat(policy, request_.method);
  if (!may_be_refused && !may_be_stale && !may_be_repeated) return 0;
  const bool too_long = request_.has_content_length && request_.content_length > policy.buffer;
  return too_long && lease_->frames == nullptr ? 0 : static_cast<std::size_t>(policy.buffer);
}

/// Carries the request's body up, beside the reading of the response.
Task<> Exchange::upload() {
  uploading_ = true;
  request_body_.start(request_.framing, request_.content_length);
  const std::uint64_t teed = upload_pump_ ? upload_pump_->teed : 0;
  upload_pump_.emplace(client_->stream(), body_, request_body_, lease_->stream, encoded_up_);
  Pump& pump = *upload_pump_;
  pump.source_frames = client_->frames();
  pump.sink_frames = lease_->frames;
  pump.chunked = pump.sink_frames == nullptr && http::needs_chunks(request_.framing, request_.has_content_length);
  pump.source_timeout = client_->session().policy().body_idle_timeout;
  pump.sink_timeout = cluster().pool.policy().timeouts.idle;
  pump.most_bytes = client_->session().policy().body_bytes;
  pump.tee = copy_;
  pump.edits = route_edits();
  pump.teed = teed;
  pump.keep = replay_bytes();
  const SessionPolicy& policy = client_->session().policy();
  if (policy.min_request_rate > 0 && !call_) {
    upload_pace_.start(policy.min_request_rate, policy.rate_grace, 0, worker_.reactor.now());
    watch_pace();
  }
  PumpEnd end = co_await forward::run(pump);
  if (too_slow_ && !client_gone_) end = PumpEnd::SourceTimedOut;
  bytes_received_ = pump.bytes;
  uploading_ = false;
  upload_pace_.stop();
  on_upload_end(end);
}

void Exchange::on_upload_end(PumpEnd end) {
  upload_end_ = end;
  const bool sinks = end == PumpEnd::SinkEnded || end == PumpEnd::SinkTimedOut || end == PumpEnd::Canceled;
  if (copy_ != nullptr && !(sinks && holds_body())) {  // or it goes on with the next attempt; finish() knows of none
    if (end == PumpEnd::Complete) {
      copy_->end();
    } else {
      copy_->abandon();
    }
    copy_ = nullptr;
  }
  switch (end) {
    case PumpEnd::Complete:
      if (!response_begun_) {
        await_response();
      } else if (lease_) {
        lease_->stream.restart_read_timeout(cluster().pool.policy().timeouts.idle);  // it may have waited for the request's end
      }
      request_whole_ = true;
      if (client_->stream().ended()) client_hung_up(this);
      return;
    case PumpEnd::SinkEnded:  // the response may be on its way, or the reading finds the same
      if (!response_begun_ && failure_ == Failure::None) await_response();
      return;
    case PumpEnd::SinkTimedOut: break;  // it neither reads nor answers: the reading ends as a timeout
    case PumpEnd::Canceled: return;
    case PumpEnd::SourceEnded: client_gone_ = true; break;
    case PumpEnd::SourceTimedOut: client_fault_ = 408; refusal_reason_ = too_slow_ ? kSlowRequest : "request body not received in time"; break;
    case PumpEnd::SourceTooLong: client_fault_ = 413; refusal_reason_ = "request body too long"; break;
    case PumpEnd::SourceRefused: client_fault_ = 400; refusal_reason_ = request_body_.refusal(); break;
  }
  if (!response_begun_ || client_gone_) cancel_upstream();
}

/// What is to be sent has been: from now on it is the side's time.
void Exchange::await_response() {
  if (!request_whole_) start_route_clock(route_->route->policy.timeout);
  start_try_clock();
  start_slow_clock();
  const Duration limit = cluster().pool.policy().timeouts.response_header;
  response_due_ = worker_.reactor.now() + limit;
  if (lease_) lease_->stream.restart_read_timeout(limit);
}

/// The response is out (or nobody wants it): what still goes up has no purpose.
Task<> Exchange::end_upload() {
  if (uploading_) {
    needs_linger_ = true;
    client_->stream().cancel_read();
    if (lease_) lease_->stream.cancel();
  }
  co_await upload_.join();
  upload_.destroy();
}

/// For the next attempt: the body from its begin. What the client has still to send is its own time again.
Task<> Exchange::rewind_upload() {
  co_await end_upload();
  upload_end_ = PumpEnd::Canceled;
  needs_linger_ = false;
  if (request_whole_) co_return;
  route_deadline_.disarm();
  start_route_clock(Duration::zero());
}

// --- the client's pace

/// A few times a grace: often enough for the grace to mean what it says, and seldom enough to cost nothing.
void Exchange::watch_pace() {
  if (pace_clock_.armed()) return;
  const Duration look = client_->session().policy().rate_grace / 8;
  worker_.reactor.arm(pace_clock_, std::clamp<Duration>(look, net::TimerWheel::kTick, std::chrono::seconds(1)));
}

/// Its body is waited for when nothing of it waits for the upstream, and it was told to go on.
bool Exchange::sends_too_slowly(TimePoint now) noexcept {
  if (!uploading_ || !upload_pace_.active()) return false;
  const bool waits = !lease_->stream.is_sending() && !(request_.expects_continue && upload_pump_->bytes == 0);
  return !upload_pace_.keeps_up(static_cast<std::int64_t>(upload_pump_->bytes), waits, now);
}

bool Exchange::reads_too_slowly(TimePoint now) noexcept {
  if (delivery_ == nullptr) return false;
  const net::ByteStream& client = client_->stream();
  return !delivery_pace_.keeps_up(static_cast<std::int64_t>(delivery_->bytes) + client.taken(), client.is_sending(), now);
}

/// Ends the client's part as its idle timeout would: nobody's failure. The exchange may be over when a cancel returns.
void Exchange::look_at_pace(void* self) {
  auto* exchange = static_cast<Exchange*>(self);
  const TimePoint now = exchange->worker_.reactor.now();
  net::ByteStream& client = exchange->client_->stream();
  if (exchange->sends_too_slowly(now)) {
    exchange->too_slow_ = true;
    exchange->worker_.counters.slow_requests.add();
    client.cancel_read();
  } else if (exchange->reads_too_slowly(now)) {
    exchange->too_slow_ = exchange->client_gone_ = true;
    exchange->refusal_reason_ = kSlowResponse;
    exchange->worker_.counters.slow_responses.add();
    client.cancel();
  } else if (exchange->upload_pace_.active() || exchange->delivery_ != nullptr) {
    exchange->watch_pace();
  }
}

}  // namespace tidegate::forward
