#include "notify/target.h"

#include <utility>

namespace tidegate::notify {

Target::Target(boost::asio::io_context& io, outbound::Client& client, const NotifyPolicy& policy, const Limits& limits,
               const OnFailure& on_failure)
    : client_(client), policy_(policy), limits_(limits), on_failure_(on_failure), pause_(io) {
  auto url = outbound::parse_url(policy.destination.url);
  if (!url) {
    url_problem_ = "the URL of a notification: " + url.error().message;
    return;
  }
  stats_.origin = url->origin();
  request_.emplace();
  request_->url = std::move(*url);
  request_->tls = policy.destination.tls;
  request_->method = "POST";
  request_->content_type = "application/json";
  request_->headers = policy.destination.headers;
  request_->timeout = policy.timeout;
}

bool Target::tell(const Message& message) {
  if (!policy_.on[static_cast<std::size_t>(message.event)]) return false;
  const std::lock_guard lock(mutex_);
  queue_.push_back(message);
  if (queue_.size() > limits_.pending) {
    queue_.pop_front();
    ++stats_.dropped;
  } else {
    ++stats_.pending;
  }
  return true;
}

TargetStats Target::stats() const {
  const std::lock_guard lock(mutex_);
  return stats_;
}

void Target::pump() {
  if (current_) return;
  if (take_next()) return attempt();
  if (idle_) std::exchange(idle_, nullptr)();
}

bool Target::take_next() {
  const std::lock_guard lock(mutex_);
  if (queue_.empty()) return false;
  current_.emplace();
  current_->message = std::move(queue_.front());
  queue_.pop_front();
  return true;
}

void Target::attempt() {
  if (!request_) return fail(url_problem_, true);
  outbound::Request request = *request_;
  request.body = body(current_->message, policy_.format);
  client_.ask(std::move(request), [this](const outbound::Result& result) { on_result(result); });
}

void Target::on_result(const outbound::Result& result) {
  const Outcome what = outcome(result, request_->url.origin());
  if (what.kind != Outcome::Kind::Delivered) return fail(what.why, what.kind == Outcome::Kind::Never);
  {
    const std::lock_guard lock(mutex_);
    ++stats_.delivered;
    --stats_.pending;
    stats_.last_error.clear();
  }
  finish();
}

void Target::fail(const std::string& why, bool never) {
  const bool given_up = never || idle_ || current_->attempt >= limits_.attempts;
  {
    const std::lock_guard lock(mutex_);
    stats_.last_error = why;
    if (given_up) {
      ++stats_.failed;
      --stats_.pending;
    } else {
      ++stats_.retries;
    }
  }
  if (on_failure_) on_failure_({request_ ? request_->url.origin() : std::string(), why, current_->attempt, given_up});
  if (given_up) return finish();
  ++current_->attempt;
  current_->pause = next_pause(current_->pause, limits_);
  waiting_ = true;
  pause_.expires_after(current_->pause);
  pause_.async_wait([this](const boost::system::error_code& cancelled) {
    if (cancelled || !waiting_) return;
    waiting_ = false;
    attempt();
  });
}

void Target::finish() {
  current_.reset();
  pump();
}

void Target::flush(std::function<void()> idle) {
  idle_ = std::move(idle);
  if (!waiting_) return pump();
  waiting_ = false;
  pause_.cancel();
  attempt();
}

void Target::give_up() {
  waiting_ = false;
  pause_.cancel();
  const std::lock_guard lock(mutex_);
  stats_.dropped += stats_.pending;
  stats_.pending = 0;
  queue_.clear();
}

}  // namespace tidegate::notify
