#include "net/reactor.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <system_error>

#include "net/system_calls.h"

namespace tidegate::net {

namespace {
constexpr int kEventsPerTurn = 256;
constexpr std::size_t kBytesKept = 8 * 1024 * 1024;  // in blocks of one worker, for bursts; the rest goes back to the heap
}  // namespace

Reactor::Reactor() : timers_(Clock::now()), now_(Clock::now()) {
  epoll_ = ::epoll_create1(EPOLL_CLOEXEC);
  wake_ = ::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  if (epoll_ < 0 || wake_ < 0) throw std::system_error(errno, std::generic_category(), "epoll");
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.ptr = nullptr;  // the only one without a handler
  if (::epoll_ctl(epoll_, EPOLL_CTL_ADD, wake_, &event) != 0) {
    throw std::system_error(errno, std::generic_category(), "epoll_ctl");
  }
}

Reactor::~Reactor() {
  retired_.clear();
  if (epoll_ >= 0) ::close(epoll_);
  if (wake_ >= 0) ::close(wake_);
}

void Reactor::wake() noexcept {
  if (wake_pending_.exchange(true)) return;  // one write wakes for any number of messages
  const std::uint64_t one = 1;
  while (::write(wake_, &one, sizeof one) < 0 && errno == EINTR) {
  }
}

void Reactor::stop() {
  stopping_.store(true);
  wake();
}

bool Reactor::add(int descriptor, std::uint32_t events, EventHandler& handler) noexcept {
  epoll_event event{};
  event.events = events;
  event.data.ptr = &handler;
  return ::epoll_ctl(epoll_, EPOLL_CTL_ADD, descriptor, &event) == 0;
}

bool Reactor::modify(int descriptor, std::uint32_t events, EventHandler& handler) noexcept {
  epoll_event event{};
  event.events = events;
  event.data.ptr = &handler;
  return ::epoll_ctl(epoll_, EPOLL_CTL_MOD, descriptor, &event) == 0;
}

void Reactor::remove(int descriptor) noexcept { ::epoll_ctl(epoll_, EPOLL_CTL_DEL, descriptor, nullptr); }

void Reactor::run() {
  while (!stopping_.load(std::memory_order_relaxed)) turn();
  stopping_.store(false, std::memory_order_relaxed);
  retired_.clear();
}

void Reactor::turn() {
  std::array<epoll_event, kEventsPerTurn> events;
  const Duration wait = timers_.until_next(now_);
  const int timeout = !heavy_.empty()          ? 0
                      : wait < Duration::zero() ? -1
                          : static_cast<int>(std::chrono::duration_cast<std::chrono::milliseconds>(wait).count()) + 1;
  const int count = wait_for_events(epoll_, events.data(), kEventsPerTurn, timeout);
  now_ = Clock::now();
  for (int i = 0; i < count; ++i) {
    auto* handler = static_cast<EventHandler*>(events[static_cast<std::size_t>(i)].data.ptr);
    if (handler != nullptr) handler->before_events(events[static_cast<std::size_t>(i)].events);
  }
  for (int i = 0; i < count; ++i) {
    auto* handler = static_cast<EventHandler*>(events[static_cast<std::size_t>(i)].data.ptr);
    if (handler != nullptr) {
      handler->on_events(events[static_cast<std::size_t>(i)].events);
      continue;
    }
    std::uint64_t ignored = 0;
    [[maybe_unused]] const ssize_t n = ::read(wake_, &ignored, sizeof ignored);
    wake_pending_.store(false);  // before the poll: what is posted during it wakes again
    inbox_.restart();
    inbox_.poll();
  }
  timers_.advance(now_);
  for (int i = 0; i < kHeavyWorkATurn && !heavy_.empty(); ++i) heavy_.pop_front()->do_heavy_work();
  while (TurnEnd* what = turn_ends_.pop_front()) what->on_turn_end();
  if (!retired_.empty()) {
    std::vector<std::unique_ptr<Retirable>> ended;
    ended.swap(retired_);
    ended.clear();
  }
  lent_bytes_.store(blocks_.lent_bytes(), std::memory_order_relaxed);
  if (blocks_.kept_bytes() > kBytesKept) blocks_.trim(kBytesKept);
}

}  // namespace tidegate::net
