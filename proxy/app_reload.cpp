// A reload. Everything that can fail is done first, beside what serves; then, in this order, the engine publishes what is in
// force into the new live words, every worker changes over, and only then is the rest of the old configuration let go.
#include <sys/stat.h>

#include <algorithm>
#include <exception>
#include <utility>

#include "app_parts.h"
#include "base/join.h"
#include "facts.h"
#include "observe/log.h"

namespace tidegate {

namespace {

constexpr Duration kPatience = std::chrono::seconds(10);  // with a worker that does not turn

}  // namespace

std::vector<std::optional<OpenedListener>> App::Parts::open_new_listeners(const config::Config& now, const config::Config& before) {
  const auto ends = [&](std::uint16_t port) {  // a listener of ours that has the port
    return std::any_of(before.listeners.begin(), before.listeners.end(), [&](const config::Listener& was) {
      const auto same = [&](const config::Listener& is) { return is.address == was.address; };
      return was.address.port == port && std::none_of(now.listeners.begin(), now.listeners.end(), same);
    });
  };
  HandedOver none({});
  std::vector<std::optional<OpenedListener>> out;
  for (const config::Listener& listener : now.listeners) {
    std::optional<OpenedListener>& opened = out.emplace_back();
    if (ActiveConfig::carried(listener, before)) continue;
    opened.emplace(OpenedListener::open(listener, now.workers, none, ends(listener.address.port)));
  }
  return out;
}

/// Each worker at one moment of its own; no request sees half of it.
void App::Parts::change_over(const Current& next, std::vector<std::optional<OpenedListener>>& opened, const config::Config& before) {
  const ActiveConfig& to = *next.config;
  auto engine_done = std::make_shared<Countdown>(1);
  engine->adopt(reconfiguration(next.config), [engine_done] { engine_done->arrive(); });
  if (!engine_done->wait(kPatience)) {
    observe::log_error("no decision is made at present: until one is, every route of the new configuration sends its requests to old");
  }
  struct Next {
    forward::GenerationSetup serving;
    std::vector<forward::ListenerSetup> listeners;
  };
  std::vector<std::shared_ptr<Next>> setups;
  for (std::size_t i = 0; i < workers.size(); ++i) {
    setups.push_back(std::make_shared<Next>(Next{generation(next.config, i, *next.certificates), listener_setups(to, *next.certificates)}));
    for (std::size_t l = 0; l < opened.size(); ++l) {
      forward::ListenerSetup& setup = setups[i]->listeners[l];
      setup.carried = ActiveConfig::carried(to.config.listeners[l], before);
      if (!opened[l]) continue;
      setup.descriptors = opened[l]->take(i);
      setup.sharing = opened[l]->sharing;
    }
  }
  auto workers_done = std::make_shared<Countdown>(workers.size());
  {
    const std::scoped_lock lock(to.addresses.mutex, posted.mutex);  // news of addresses come before it on every worker, or after
    posted.config = next.config;
    for (std::size_t i = 0; i < workers.size(); ++i) {
      setups[i]->serving.addresses = to.addresses.found;
      workers[i]->post([setup = std::move(setups[i]), workers_done](forward::Worker& worker) {
        worker.adopt(std::move(setup->serving), std::move(setup->listeners));
        workers_done->arrive();
      });
    }
  }
  if (!workers_done->wait(kPatience)) observe::log_error("a worker does not turn: it still serves by the configuration of before");
  engine->publish_everywhere();
}

void App::Parts::settle_listeners(const config::Config& now, const config::Config& before,
                                  const std::vector<std::optional<OpenedListener>>& opened) {
  std::vector<BoundAddress> next;
  for (std::size_t i = 0; i < now.listeners.size(); ++i) {
    const config::Listener& listener = now.listeners[i];
    const std::optional<std::size_t> place = ActiveConfig::carried(listener, before);
    next.push_back({listener.name, place ? listeners[*place].address : opened[i]->address});
    if (!place) observe::log_info("listening on " + next.back().address + " (" + listener.name + ")");
    if (opened[i] && opened[i]->file) socket_files.emplace(next.back().address, *opened[i]->file);
    const bool other_mode = place && before.listeners[*place].mode != listener.mode && listener.mode;
    if (!other_mode) continue;
    const std::string path = listener.address.host.substr(net::kUnixPrefix.size());
    if (::chmod(path.c_str(), *listener.mode) != 0) observe::log_error("cannot change the mode of " + path);
  }
  std::erase_if(socket_files, [&](const auto& file) {
    return std::none_of(next.begin(), next.end(), [&](const BoundAddress& one) { return one.address == file.first; });
  });
  listeners = std::move(next);
}

Reloaded App::reload(config::Config next_config) {
  Parts& p = *parts_;
  const Parts::Current before = p.current();
  const auto refuse = [&](std::string why) {
    ++p.failed_reloads;
    return Reloaded{{std::move(why)}, {}};
  };
  const config::Config& was = before.config->config;
  const std::vector<std::string> beyond = beyond_reload(was, next_config);
  if (!beyond.empty()) {
    return refuse(joined(beyond, ", ") + (beyond.size() == 1 ? " has" : " have") +
                  " changed, and takes a new process: restart, or upgrade without a lost connection (SIGUSR2)");
  }
  Reloaded out{{}, changes(was, next_config)};
  if (out.changed.empty()) {
    before.certificates->reread();
    p.reread_tokens();  // not only when the watch comes to it: whoever asked finds them in force
    p.reloaded_ms = wall_clock_ms();
    ++p.reloads;
    return out;
  }

  Parts::Current next;
  std::vector<std::optional<OpenedListener>> opened;
  before.certificates->stop();
  try {
    next.config = std::make_shared<const ActiveConfig>(std::move(next_config), before.config.get(), p.all_counters(), p.started_ms);
    next.certificates = p.read_certificates(next.config, before.certificates.get());
    opened = p.open_new_listeners(next.config->config, was);
    next.resolver = p.make_resolver(next.config, before.resolver.get());
    next.resolver->start();
    next.notifier = next.config->config.notify == was.notify ? before.notifier : p.make_notifier(next.config->config);
  } catch (const std::exception& error) {
    before.certificates->start();
    return refuse(error.what());
  }

  const config::Config& now = next.config->config;
  for (std::size_t i = 0; i < now.listeners.size(); ++i) next.config->client_limits[i]->set_most(now.listeners[i].connections_per_client);
  observe::set_log_level(log_level(now.log.level));
  p.change_over(next, opened, was);
  p.replace(next);
  p.health.keep_clusters(judged_clusters(now));
  p.settle_listeners(now, was, opened);
  p.admin_server->set_tls(next.certificates->admin());
  p.reread_tokens();
  next.certificates->start();
  before.resolver->stop();
  if (before.notifier && before.notifier != next.notifier) before.notifier->stop();
  p.reloaded_ms = wall_clock_ms();
  ++p.reloads;
  return out;
}

void App::note_failed_reload() { ++parts_->failed_reloads; }

}  // namespace tidegate
