#include "notify/notifier.h"

#include <pthread.h>
#include <signal.h>

#include <boost/asio/post.hpp>
#include <exception>
#include <utility>

namespace tidegate::notify {

namespace {

/// Signals belong to the threads that wait for them.
void begin_thread() {
  ::sigset_t all;
  ::sigfillset(&all);
  ::pthread_sigmask(SIG_BLOCK, &all, nullptr);
  ::pthread_setname_np(::pthread_self(), "notify");
}

}  // namespace

Notifier::Notifier(const std::vector<NotifyPolicy>& policies, Target::OnFailure on_failure, const Limits& limits,
                   outbound::Lookup::Ask lookup)
    : limits_(limits),
      on_failure_(std::move(on_failure)),
      work_(boost::asio::make_work_guard(io_)),
      client_(io_, std::move(lookup)) {
  for (const NotifyPolicy& policy : policies) {
    targets_.push_back(std::make_unique<Target>(io_, client_, policy, limits_, on_failure_));
  }
  thread_ = std::thread([this] {
    begin_thread();
    io_.run();
  });
}

Notifier::~Notifier() { stop(); }

void Notifier::tell(const Message& message) noexcept {
  if (stopped_.load(std::memory_order_relaxed)) return;
  try {
    bool wanted = false;
    for (const auto& target : targets_) wanted = target->tell(message) || wanted;
    if (wanted && !awake_.exchange(true)) boost::asio::post(io_, [this] { pump_all(); });
  } catch (const std::exception&) {
    awake_.store(false);  // out of memory: what was queued goes with the next message
  }
}

void Notifier::pump_all() {
  awake_.store(false);
  for (const auto& target : targets_) target->pump();
}

std::vector<TargetStats> Notifier::stats() const {
  std::vector<TargetStats> out;
  for (const auto& target : targets_) out.push_back(target->stats());
  return out;
}

void Notifier::stop() {
  if (!thread_.joinable()) return;
  stopped_.store(true, std::memory_order_relaxed);
  boost::asio::post(io_, [this] { flush(); });
  thread_.join();
}

void Notifier::flush() {
  busy_ = targets_.size();
  if (busy_ == 0) return end();
  patience_.expires_after(limits_.flush);
  patience_.async_wait([this](const boost::system::error_code& cancelled) {
    if (!cancelled) end();
  });
  for (const auto& target : targets_) {
    target->flush([this] {
      if (--busy_ == 0) end();
    });
  }
}

void Notifier::end() {
  client_.stop();
  for (const auto& target : targets_) target->give_up();
  io_.stop();
}

}  // namespace tidegate::notify
