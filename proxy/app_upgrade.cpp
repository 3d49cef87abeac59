// The parts of an App that take over from another process, and that let one take over.
#include <algorithm>
#include <future>
#include <stdexcept>
#include <utility>

#include "app_parts.h"
#include "config/addresses.h"
#include "facts.h"

namespace tidegate {

// --- who takes over

/// Before the workers start. Who is not among the addresses any more is forgotten once they are here.
void App::Parts::restore_health(const std::vector<observe::HealthBoard::Record>& known) {
  const TimePoint now = Clock::now();
  for (const observe::HealthBoard::Record& one : known) {
    const auto place = config::parse_listener_address(one.address);
    const std::optional<net::Address> address = place ? net::make_address(place.value->host, place.value->port) : std::nullopt;
    if (!address) continue;
    upstream::Pool::Known of{*address, one.healthy};
    if (one.ejected_for > Duration::zero()) {
      of.ejected_until = now + one.ejected_for;
      of.ejections = 1;
    }
    for (const auto& worker : workers) {
      if (forward::ClusterRuntime* const cluster = worker->serving().cluster_named(one.cluster)) cluster->know(of);
    }
    health.restore(one, now);
  }
  health.keep_clusters(judged_clusters(config()->config));
}

// --- who lets another one take over

std::vector<observe::HealthBoard::Record> App::health() const { return parts_->health.records(Clock::now()); }

std::vector<std::pair<std::string, std::vector<net::Address>>> App::names() const { return parts_->current().resolver->known(); }

std::vector<HandedSocket> App::listening() const {
  const Parts& p = *parts_;
  const config::Config& config = p.config()->config;
  struct Found {
    int descriptor;
    net::Sharing sharing;
  };
  std::vector<HandedSocket> out;
  for (std::size_t w = 0; w < p.workers.size(); ++w) {
    auto found = std::make_shared<std::promise<std::vector<std::vector<Found>>>>();  // by listener
    p.workers[w]->post([found](forward::Worker& worker) {
      std::vector<std::vector<Found>> all;
      for (const auto& listener : worker.listeners()) {
        std::vector<Found>& of = all.emplace_back();
        for (const auto& socket : listener->sockets) of.push_back({socket->descriptor(), socket->sharing()});
      }
      found->set_value(std::move(all));
    });
    std::future<std::vector<std::vector<Found>>> answer = found->get_future();
    if (answer.wait_for(kWorkerPatience) != std::future_status::ready) throw std::runtime_error("a worker does not turn");
    const std::vector<std::vector<Found>> all = answer.get();
    for (std::size_t l = 0; l < all.size(); ++l) {
      for (const Found& one : all[l]) {
        if (one.sharing == net::Sharing::One && w > 0) continue;  // it is the same socket
        out.push_back({one.descriptor, config.listeners[l].name, written(config.listeners[l].address),
                       p.socket_files.contains(p.listeners[l].address)});
      }
    }
  }
  out.push_back({p.admin_server->descriptor(), kAdminSocket, written(config.admin.address)});
  if (p.metrics_server) out.push_back({p.metrics_server->descriptor(), kMetricsSocket, written(*config.metrics)});
  return out;
}

void App::while_workers_stand_still(const std::function<void()>& what) {
  Parts& p = *parts_;
  auto standing = std::make_shared<Countdown>(p.workers.size());
  auto go_on = std::make_shared<Countdown>(1);
  p.on_every_worker([=](forward::Worker&) {
    standing->arrive();
    go_on->wait(kWorkerPatience);
  });
  const bool all = standing->wait(std::chrono::seconds(1));
  try {
    if (!all) throw std::runtime_error("a worker does not turn");
    what();
  } catch (...) {
    go_on->arrive();
    throw;
  }
  go_on->arrive();
}

int App::lock_descriptor() const noexcept { return parts_->store->lock_descriptor(); }

boost::json::object App::hold() {
  Parts& p = *parts_;
  p.admin_server->pause();
  if (p.metrics_server) p.metrics_server->pause();
  std::promise<boost::json::object> answer;
  p.engine->hold([&answer](boost::json::object state) { answer.set_value(std::move(state)); });
  boost::json::object state = answer.get_future().get();
  const boost::json::value* const problem = state.if_contains("problem");
  if (problem == nullptr) return state;
  go_on();
  throw std::runtime_error(std::string(problem->as_string()));
}

void App::go_on() {
  Parts& p = *parts_;
  p.engine->go_on();
  p.admin_server->resume();
  if (p.metrics_server) p.metrics_server->resume();
}

void App::let_go(const std::vector<std::string>& left, std::shared_ptr<control::OtherProcess> next) {
  Parts& p = *parts_;
  p.engine->drain_beside(std::move(next));
  for (const BoundAddress& listener : p.listeners) {
    const auto file = p.socket_files.find(listener.address);
    const bool is_left = std::find(left.begin(), left.end(), listener.name) != left.end();
    if (file != p.socket_files.end() && !is_left) file->second.release();
  }
  p.admin_server->retire();
  if (p.metrics_server) p.metrics_server->retire();
}

void App::own_files(std::shared_ptr<control::OtherProcess> before) {
  parts_->engine->serve_beside(std::move(before));
  for (const net::Address& file : std::exchange(parts_->handed_files, {})) parts_->socket_files.emplace(net::text(file), file);
}
const std::vector<std::string>& App::left_over() const noexcept { return parts_->left_over; }

}  // namespace tidegate
