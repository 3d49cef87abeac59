#include "forward/hedge.h"

#include <algorithm>
#include <utility>

#include "forward/retry.h"
#include "http/limits.h"

namespace tidegate::forward {

void Hedge::start(upstream::Pool& pool, http::Method method, upstream::Client* client, std::size_t avoid) {
  pool_ = &pool;
  method_ = method;
  failure_ = Failure::None;
  canceled_ = won_ = heard_ = false;
  task_ = ask(client, avoid);
  task_.start();
}

void Hedge::cancel() noexcept {
  if (canceled_ || task_.done()) return;
  canceled_ = true;
  if (lease_) {
    lease_->stream.cancel();
  } else {
    acquisition_.cancel();
  }
}

void Hedge::finish() noexcept {
  unlink();
  task_.destroy();
  lease_.drop();
  head.release();
}

Task<> Hedge::ask(upstream::Client* client, std::size_t avoid) {
  lease_ = pool_->take_idle(upstream::Reuse::Any, client, upstream::Carrying::Any, avoid);
  if (!lease_) {
    upstream::Acquired acquired =
        co_await pool_->acquire(acquisition_, upstream::Reuse::Any, client, upstream::Carrying::Any, avoid);
    if (acquired.lease && !events_.is_wanted(events_.context)) co_return;
    lease_ = std::move(acquired.lease);
    if (acquired.failure != Failure::None) fail(acquired.failure);
  }
  if (!lease_) co_return;
  const bool sent = co_await send();
  if (sent) won_ = co_await read_head();
  if (!won_) {
    lease_.drop();
  } else {
    reactor_.at_turn_end(*this);
  }
}

Task<bool> Hedge::send() {
  if (http::Frames* const frames = lease_->frames) co_return frames->send_head(head, true) || fail(net::IoStatus::Reset);
  const iovec part{head.data(), head.size()};
  const net::IoResult sent = co_await lease_->stream.send({&part, 1}, pool_->policy().timeouts.idle);
  head.release();
  co_return sent.status == net::IoStatus::Ok || fail(sent.status);
}

Task<bool> Hedge::read_head() {
  const TimePoint deadline = reactor_.now() + pool_->policy().timeouts.response_header;
  decoder.reset(method_);
  for (int informational = 0; informational <= http::kInformationalResponses;) {
    const http::HeadState state = lease_->take_head(decoder, response);
    if (state == http::HeadState::Refused) co_return fail(Failure::Protocol);
    if (state == http::HeadState::Done) {
      if (response.status >= 500) co_return fail(Failure::Status);
      if (response.status >= 200) co_return true;
      if (response.status == 101) co_return fail(Failure::Protocol);
      ++informational;  // the first attempt has the client's ear
      heard_ = true;
      lease_->drop_head(decoder);
      decoder.reset(method_);
      continue;
    }
    const Duration left = std::max<Duration>(deadline - reactor_.now(), net::TimerWheel::kTick);
    const net::IoResult read = co_await lease_->await_head(left);
    if (read.status != net::IoStatus::Ok) co_return fail(read.status);
  }
  co_return fail(Failure::Protocol);
}

bool Hedge::fail(net::IoStatus status) noexcept {
  if (status == net::IoStatus::TimedOut) return fail(Failure::Timeout);
  return !heard_ && was_never_looked_at(*lease_) ? false : fail(Failure::Reset);
}

/// @return false, always.
bool Hedge::fail(Failure why) noexcept {
  if (canceled_ || why == Failure::Canceled) return false;
  failure_ = why;
  if (lease_) pool_->note(*lease_, upstream::Pool::Outcome::Failed);
  return false;
}

}  // namespace tidegate::forward
