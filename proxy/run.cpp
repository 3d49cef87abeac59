#include "run.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <filesystem>
#include <functional>
#include <iostream>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "app.h"
#include "base/join.h"
#include "config/load.h"
#include "facts.h"
#include "net/file_watch.h"
#include "observe/log.h"
#include "privileges.h"
#include "supervisor.h"
#include "upgrade.h"

namespace tidegate {

namespace {

constexpr int kBadConfiguration = 78;  // sysexits' EX_CONFIG: systemd does not restart on it

void say(const store::Decision& made) {
  const std::string line = "route " + made.route + ": " + std::string(store::name(made.action)) + " " + made.from + " -> " +
                           made.to + " by " + made.actor + (made.reason.empty() ? "" : ": " + made.reason) + " (epoch " +
                           std::to_string(made.epoch) + ")";
  switch (made.action) {
    case store::Action::Revert:
    case store::Action::Hold:
    case store::Action::WouldRevert: return observe::log_warn(line);
    default: return observe::log_info(line);
  }
}

/// Every thread inherits the mask: signals are only ever taken here, in order, and never interrupt a worker.
sigset_t block_signals() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGHUP);
  sigaddset(&signals, SIGUSR1);
  sigaddset(&signals, SIGUSR2);
  ::pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  return signals;
}

/// What goes wrong with a write is that write's error, not the end of the proxy. Before the first one: standard error may be such a pipe.
void survive_writes() {
  ::signal(SIGPIPE, SIG_IGN);
  ::signal(SIGXFSZ, SIG_IGN);
}

/// Without the standard descriptors the first files that are opened would get their numbers, and the log would be written into them.
void open_standard_descriptors() {
  int descriptor = ::open("/dev/null", O_RDWR);
  while (descriptor >= 0 && descriptor <= STDERR_FILENO) descriptor = ::open("/dev/null", O_RDWR);
  if (descriptor > STDERR_FILENO) ::close(descriptor);
}

/// The soft limit is for programs that use select(2).
void raise_descriptor_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

/// The next signal within `wait`, or 0.
int next_signal(const sigset_t& signals, std::chrono::milliseconds wait) {
  const timespec limit{wait.count() / 1000, (wait.count() % 1000) * 1'000'000};
  return std::max(0, ::sigtimedwait(&signals, nullptr, &limit));
}

/// Looks whether every worker still turns: says so when one does not, and tells the supervisor only while all do, so that
/// it may restart what hangs (WatchdogSec=).
class Watchdog {
 public:
  explicit Watchdog(App& app) : app_(app), interval_(supervisor::alive_interval()) {}

  void look() {
    const TimePoint now = Clock::now();
    if (now < next_) return;
    next_ = now + (interval_ > Duration::zero() ? std::min<Duration>(interval_, kLook) : kLook);
    const std::vector<std::size_t> stuck = app_.stuck_workers(kLongest);
    for (const std::size_t worker : stuck) {
      if (std::find(stuck_.begin(), stuck_.end(), worker) != stuck_.end()) continue;
      observe::log_error("worker-" + std::to_string(worker) + " has not turned for 5 s: its connections stand still");
    }
    for (const std::size_t worker : stuck_) {
      if (std::find(stuck.begin(), stuck.end(), worker) == stuck.end()) observe::log_warn("worker-" + std::to_string(worker) + " turns again");
    }
    stuck_ = stuck;
    if (stuck.empty() && interval_ > Duration::zero()) supervisor::tell_alive();
  }

 private:
  static constexpr Duration kLook = std::chrono::seconds(1);
  static constexpr Duration kLongest = std::chrono::seconds(5);
  App& app_;
  const Duration interval_;
  TimePoint next_{};
  std::vector<std::size_t> stuck_;
};

/// How this process was started: what an upgrade starts again.
struct Started {
  std::string program;
  std::string config_path;
  bool watch = false;
  std::filesystem::file_time_type file_time{};  // of the configuration, before it was read

  std::vector<std::string> arguments() const {
    std::vector<std::string> out{"run", "--config", config_path};
    if (watch) out.emplace_back("--watch");
    return out;
  }
};

/// Reads the configuration file again when it is asked to, on the main thread.
class Reloads {
 public:
  using Answer = std::function<void(const Reloaded&)>;
  explicit Reloads(std::string path) : path_(std::move(path)) {}

  /// Any thread. @param answer is told what came of it; may be empty.
  void ask(Answer answer) {
    {
      const std::lock_guard lock(mutex_);
      if (!ended_.empty()) {
        if (answer) answer({{ended_}, {}});
        return;
      }
      waiting_.push_back(std::move(answer));
    }
    ::kill(::getpid(), SIGHUP);  // it is blocked everywhere: the main thread takes it
  }

  /// From now on nothing is reloaded: whoever asks, or has asked, is told why.
  void end(const std::string& why) {
    std::vector<Answer> answers;
    {
      const std::lock_guard lock(mutex_);
      ended_ = why;
      answers.swap(waiting_);
    }
    for (const Answer& answer : answers) {
      if (answer) answer({{why}, {}});
    }
  }

  /// Whoever asked before now is answered by it.
  void reload(App& app) {
    std::vector<Answer> answers;
    {
      const std::lock_guard lock(mutex_);
      answers.swap(waiting_);
    }
    supervisor::tell_reloading();
    const Reloaded came = read_and_reload(app);
    for (const std::string& problem : came.problems) observe::log_error(problem);
    if (came.problems.empty()) {
      const std::string changed = joined(came.changed, "; ");
      observe::log_info("configuration reloaded: " + (changed.empty() ? "nothing changed" : changed));
    } else {
      observe::log_error("the configuration was not reloaded; the one of before stays in use");
    }
    supervisor::tell_ready(app.summary().front());
    for (const Answer& answer : answers) {
      if (answer) answer(came);
    }
  }

 private:
  Reloaded read_and_reload(App& app) const {
    config::Loaded loaded = config::load_file(path_);
    Reloaded bad;
    for (const config::Problem& problem : loaded.problems) bad.problems.push_back(to_string(problem));
    if (loaded.config) {
      for (const std::string& warning : bad.problems) observe::log_warn(warning);
      return app.reload(std::move(*loaded.config));
    }
    app.note_failed_reload();
    app.reread_certificates();  // each pair is for itself
    return bad;
  }

  const std::string path_;
  std::mutex mutex_;
  std::vector<Answer> waiting_;
  std::string ended_;  // why there are no more
};

/// Takes signals until one asks for the end, or `drain_asked` does. @return the process that has taken over, if one has.
std::optional<pid_t> wait_for_the_end(App& app, const sigset_t& signals, const std::atomic<bool>& drain_asked, Reloads& reloads, const Started& as) {
  Watchdog watchdog(app);
  while (!drain_asked) {
    watchdog.look();
    app.share_out_memory();
    switch (next_signal(signals, std::chrono::milliseconds(100))) {
      case SIGTERM:
      case SIGINT: return std::nullopt;
      case SIGUSR2: {
        bool ends = false;
        bool reopens = false;
        const auto idle = [&] {
          watchdog.look();
          app.share_out_memory();
          const int signal = next_signal(signals, std::chrono::milliseconds(0));
          if (signal == SIGHUP) reloads.ask({});  // later
          if (signal == SIGHUP || signal == SIGUSR1) {
            app.reopen_logs();
            reopens = true;
          }
          ends = signal == SIGTERM || signal == SIGINT;
          if (ends) throw std::runtime_error("this process was asked to end");
          if (drain_asked) throw std::runtime_error("this process was asked to drain");
        };
        const std::optional<pid_t> next = upgrade(app, as.program, as.arguments(), idle);
        if (next && reopens) ::kill(*next, SIGUSR1);  // it may have opened them before
        if (next || ends) return next;
        break;
      }
      case SIGHUP:
        reloads.reload(app);
        app.reopen_logs();
        break;
      case SIGUSR1: app.reopen_logs(); break;
      default: break;
    }
  }
  return std::nullopt;
}

void say_started(const App& app) {
  for (const std::string& line : app.summary()) observe::log_info(line);
  for (const BoundAddress& listener : app.listeners()) {
    observe::log_info("listening on " + listener.address + " (" + listener.name + ")");
  }
  observe::log_info("admin on " + app.admin_address());
  if (!app.metrics_address().empty()) observe::log_info("metrics on " + app.metrics_address());
  observe::log_info("ready");
}

int serve(config::Config config, const Started& as, std::optional<Predecessor> before) {
  const sigset_t signals = block_signals();
  std::atomic<bool> drain_asked{false};
  Reloads reloads(as.config_path);
  App::Events events{say, [&drain_asked] { drain_asked = true; }, [&reloads](Reloads::Answer answer) { reloads.ask(std::move(answer)); }};
  std::optional<App> app;
  std::optional<net::FileWatch> file;
  try {
    std::vector<HandedSocket> sockets;
    if (before) sockets = before->take_sockets();
    for (const int descriptor : supervisor::take_sockets()) sockets.push_back({descriptor});
    app.emplace(std::move(config), std::move(events), std::move(sockets));
    if (before) {
      start_after(*app, *before);
    } else {
      app->start();
    }
    if (as.watch) file.emplace(std::vector<std::string>{as.config_path}, [&reloads] { reloads.ask({}); }).start();
    std::error_code ignored;
    if (as.watch && std::filesystem::last_write_time(as.config_path, ignored) != as.file_time) reloads.ask({});  // while it was being started
  } catch (const std::exception& error) {
    observe::log_error(error.what());
    return 1;
  }
  before.reset();
  say_started(*app);
  supervisor::tell_ready(app->summary().front());
  const std::optional<pid_t> next = wait_for_the_end(*app, signals, drain_asked, reloads, as);
  file.reset();
  reloads.end(next ? "another process has taken over; ask again" : "the process drains; nothing is reloaded any more");
  if (!next) supervisor::tell_stopping();
  observe::log_info("draining: no new connections, exchanges in flight may finish");
  bool was_asked = !next;  // to end; after an upgrade nobody has asked for that yet
  const auto hurry = [&] {
    const int signal = next_signal(signals, std::chrono::milliseconds(0));
    if (signal == SIGHUP || signal == SIGUSR1) {
      app->reopen_logs();                 // its last requests are written there
      if (next) ::kill(*next, signal);    // it is meant for who serves now
    }
    const bool asked = signal == SIGTERM || signal == SIGINT;
    return std::exchange(was_asked, was_asked || asked) && asked;
  };
  app->drain_and_stop(hurry, next.has_value());
  if (next) (void)hurry();  // a drain with nothing to wait for does not look
  observe::log_info("ended");
  return 0;
}

}  // namespace

int run(const std::string& config_path, bool watch) {
  Started as{program_path(), config_path, watch};
  std::optional<Predecessor> before = Predecessor::from_environment();
  survive_writes();
  open_standard_descriptors();
  raise_descriptor_limit();
  std::string given_up;
  try {
    given_up = drop_privileges();  // before the files are looked at: with the rights that they are used with
  } catch (const std::exception& error) {
    observe::log_error(error.what());
    return 1;
  }
  std::error_code ignored;
  const auto written = std::filesystem::last_write_time(config_path, ignored);
  config::Loaded loaded = config::load_file(config_path);
  for (const config::Problem& problem : loaded.problems) std::cerr << to_string(problem) << '\n';
  if (!loaded.config) return kBadConfiguration;
  as.file_time = written;
  observe::set_log_level(log_level(loaded.config->log.level));
  if (!given_up.empty()) observe::log_info(given_up);
  return serve(std::move(*loaded.config), as, std::move(before));
}

}  // namespace tidegate
