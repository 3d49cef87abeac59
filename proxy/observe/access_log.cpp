#include "observe/access_log.h"

#include <poll.h>
#include <pthread.h>
#include <signal.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <system_error>
#include <utility>

namespace tidegate::observe {

namespace {

/// Signals belong to the threads that wait for them, and SIGPIPE and SIGXFSZ have to come as errors of write().
void block_signals() noexcept {
  sigset_t all;
  sigfillset(&all);
  pthread_sigmask(SIG_BLOCK, &all, nullptr);
}

int milliseconds_up(Duration d) noexcept {
  return static_cast<int>(std::chrono::ceil<std::chrono::milliseconds>(d).count());
}

}  // namespace

AccessLog::AccessLog(Setup setup)
    : limits_(setup.limits), on_error_(std::move(setup.on_error)), destination_(std::move(setup.path)) {
  sinks_.reserve(setup.dropped.size());
  for (Counter* dropped : setup.dropped) {
    sinks_.push_back(std::make_unique<AccessSink>(limits_.ring_bytes, setup.sample, *dropped, wake_));
  }
  thread_ = std::thread([this] { run(); });
}

AccessLog::~AccessLog() {
  stopping_.store(true);
  wake_.signal();
  thread_.join();
}

void AccessLog::reopen() noexcept {
  reopen_.store(true);
  wake_.signal();
}

void AccessLog::run() {
  block_signals();
  while (!stopping_.load()) {
    reopen_if_asked();
    drain_all();
    rest();
  }
  reopen_if_asked();
  drain_all();
}

/// Between two passes no line is half written, so a line is never divided between two files.
void AccessLog::reopen_if_asked() {
  if (!reopen_.exchange(false)) return;
  if (const int error = destination_.reopen()) report("cannot be reopened, the old file goes on", error);
}

void AccessLog::drain_all() {
  for (const auto& sink : sinks_) drain(sink->ring());
}

/// Writes what was there when it began: a busy worker cannot keep the others waiting, and as it ends where a line ends,
/// the lines of two workers do not mix.
void AccessLog::drain(ByteRing& ring) {
  std::size_t left = ring.readable();
  while (left > 0) {
    const LogDestination::Wrote wrote = destination_.write(ring.front(left));
    ring.pop(wrote.bytes);
    left -= wrote.bytes;
    if (wrote.error != 0) return lose(ring, left, wrote.error);
    if (wrote.bytes == 0 && !wait_until_writable()) return lose(ring, left, ETIMEDOUT);
  }
}

/// Lines are not kept for better times: the ring has to be free for those that come.
void AccessLog::lose(ByteRing& ring, std::size_t count, int error) {
  destination_.abandon_line();
  std::uint64_t lines = 0;
  while (count > 0) {
    const std::string_view front = ring.front(count);
    lines += static_cast<std::uint64_t>(std::count(front.begin(), front.end(), '\n'));
    ring.pop(front.size());
    count -= front.size();
  }
  lost_.add(lines);
  unreported_ += lines;
  report("cannot be written", error);
}

void AccessLog::report(std::string_view what, int error) {
  const TimePoint now = Clock::now();
  if (!on_error_ || (reported_ && now - *reported_ < limits_.report)) return;
  reported_ = now;
  std::string line = "access log " + destination_.path() + " " + std::string(what) + ": ";
  line += std::system_category().message(error);
  if (unreported_ > 0) line += "; lines lost: " + std::to_string(std::exchange(unreported_, 0));
  on_error_(line);
}

void AccessLog::rest() const {
  pollfd waited{wake_.descriptor(), POLLIN, 0};
  if (::poll(&waited, 1, milliseconds_up(limits_.poll)) > 0) wake_.clear();
}

/// @return false when the time to flush is over.
bool AccessLog::wait_until_writable() {
  for (;;) {
    const int timeout = flush_timeout_ms();
    if (timeout == 0) return false;
    std::array<pollfd, 2> waited{{{destination_.descriptor(), POLLOUT, 0}, {wake_.descriptor(), POLLIN, 0}}};
    if (::poll(waited.data(), waited.size(), timeout) <= 0) continue;
    if (waited[1].revents != 0) wake_.clear();
    if (waited[0].revents != 0) return true;
  }
}

/// For poll(): no end while serving, then what is left of limits.flush.
int AccessLog::flush_timeout_ms() {
  if (!stopping_.load()) return -1;
  const TimePoint now = Clock::now();
  if (!flush_until_) flush_until_ = now + limits_.flush;
  return milliseconds_up(std::max(*flush_until_ - now, Duration::zero()));
}

}  // namespace tidegate::observe
