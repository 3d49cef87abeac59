// The access log (PRODUCT §5): a sink for each worker and one thread that writes what they queued, so that a slow pipe
// or a full disk costs lines and never a worker's time. Lines are whole and in order for each worker; between workers
// they are in order only roughly. It does not rotate: reopen() does what logrotate asks for. Owned by the composition
// root; made before the workers and destroyed after they have ended.
//
//   worker -> AccessSink: choose, format -> ByteRing -+
//   worker -> AccessSink: choose, format -> ByteRing -+-> thread -> LogDestination
//
// The thread looks at the rings every 50 ms instead of being woken for each line: a wake-up is a system call, and a
// worker that answers thousands of requests in that time must not make one for each. Only a worker that finds its ring
// half full calls for the thread, which is one system call in half a ring (some 1,000 lines).
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "base/counter.h"
#include "observe/access_sink.h"
#include "observe/log_destination.h"

namespace tidegate::observe {

struct AccessLogLimits {
  std::size_t ring_bytes = 1024 * 1024;              ///< a worker; a power of two
  Duration poll = std::chrono::milliseconds(50);     ///< a line waits at most so long
  Duration flush = std::chrono::seconds(2);          ///< at the end, for what is still queued
  Duration report = std::chrono::minutes(1);         ///< between two reports of errors
};

class AccessLog {
 public:
  struct Setup {
    std::string path;                 ///< "stdout" or a file
    double sample = 1.0;              ///< 0..1, of the requests that ended well
    std::vector<Counter*> dropped;    ///< by worker: WorkerCounters::access_log_dropped
    /// What to tell the operator, at once and then at most once a minute; called on the log's thread; may be empty,
    /// must not throw.
    std::function<void(std::string_view)> on_error;
    AccessLogLimits limits;
  };

  /// @throws std::system_error if the file cannot be opened.
  explicit AccessLog(Setup setup);
  /// Writes what is queued, as far as the destination takes it within limits.flush. No sink may be in use any more.
  ~AccessLog();
  AccessLog(const AccessLog&) = delete;
  AccessLog& operator=(const AccessLog&) = delete;

  AccessLogSink* sink(std::size_t worker) noexcept { return sinks_[worker].get(); }

  /// The file was moved away: open its path again. Any thread, and signal handlers.
  void reopen() noexcept;

  /// Lines that were queued and could not be written; part of tidegate_access_log_dropped_total, beside what the
  /// workers counted.
  std::uint64_t lost() const noexcept { return lost_.read(); }

 private:
  // all of these on the log's own thread
  void run();
  void reopen_if_asked();
  void drain_all();
  void drain(ByteRing& ring);
  void lose(ByteRing& ring, std::size_t count, int error);
  void report(std::string_view what, int error);
  void rest() const;
  bool wait_until_writable();
  int flush_timeout_ms();

  const AccessLogLimits limits_;
  const std::function<void(std::string_view)> on_error_;
  LogDestination destination_;
  WakeUp wake_;
  std::vector<std::unique_ptr<AccessSink>> sinks_;
  std::atomic<bool> stopping_{false};
  std::atomic<bool> reopen_{false};
  Counter lost_;                           // written by the log's thread
  std::uint64_t unreported_ = 0;
  std::optional<TimePoint> reported_;
  std::optional<TimePoint> flush_until_;
  std::thread thread_;
};

}  // namespace tidegate::observe
