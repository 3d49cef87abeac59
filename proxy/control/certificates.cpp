#include "control/certificates.h"

#include <algorithm>
#include <stdexcept>
#include <utility>

namespace tidegate::control {

namespace {

using net::TlsCertificate;
using net::TlsProblem;

/// The messages, in one line; empty when nothing speaks against the files.
std::string errors_of(const std::vector<TlsProblem>& problems) {
  std::string text;
  for (const TlsProblem& problem : problems) {
    if (!problem.is_warning) text += (text.empty() ? "" : "; ") + problem.message;
  }
  return text;
}

void add_problem(std::vector<TlsProblem>& to, TlsProblem::About about, std::string message) {
  to.push_back({about, 0, std::move(message), false});
}

}  // namespace

Certificates::Certificates(const config::Config& config, net::TicketKeys& tickets, Events events, const Certificates* before)
    : config_(config), events_(std::move(events)), tickets_(tickets) {
  std::vector<TlsProblem> problems;
  for (const Place& place : places()) listeners_.push_back(read_listener(place, problems));
  for (const upstream::ClusterPolicy& from : config.clusters) {
    Cluster& to = clusters_.emplace_back();
    if (from.tls) to.context = net::TlsClientContext::load(*from.tls, problems);
  }
  const std::string errors = errors_of(problems);
  if (!errors.empty()) throw std::runtime_error(errors);
  if (before != nullptr) go_on_with(*before);
}

/// No listener can be called as the admin API's scope is.
std::vector<Certificates::Place> Certificates::places() const {
  std::vector<Place> all;
  for (const config::Listener& from : config_.listeners) {
    all.push_back({"listener " + from.name, "listener/" + from.name, from.name, from.tls});
  }
  all.push_back({"admin", "admin", "/admin", config_.admin.tls});
  return all;
}

Certificates::Listener Certificates::read_listener(const Place& from, std::vector<TlsProblem>& problems) const {
  Listener to;
  if (!from.tls) return to;
  net::TlsServerContext::Certificates certificates;
  for (std::size_t i = 0; i < from.tls->certificates.size(); ++i) {
    TlsCertificate::Loaded loaded = TlsCertificate::load(from.tls->certificates[i], i);
    problems.insert(problems.end(), loaded.problems.begin(), loaded.problems.end());
    certificates.push_back(std::move(loaded.certificate));
  }
  std::string problem;
  if (!from.tls->client_ca.empty()) to.clients = net::TlsAuthorities::load(from.tls->client_ca, problem);
  if (!problem.empty()) add_problem(problems, TlsProblem::About::ClientCa, problem);
  if (!errors_of(problems).empty()) return to;
  to.context = net::TlsServerContext::make(*from.tls, from.scope, tickets_, std::move(certificates), to.clients, problem);
  if (!problem.empty()) add_problem(problems, TlsProblem::About::Cert, from.name + ": " + problem);
  to.told.resize(from.tls->certificates.size() + 1);
  return to;
}

void Certificates::go_on_with(const Certificates& before) {
  const std::lock_guard lock(before.mutex_);
  reloads_ = before.reloads_;
  failures_ = before.failures_;
  const std::vector<Place> now = places(), then = before.places();
  for (std::size_t i = 0; i < now.size(); ++i) {
    for (std::size_t b = 0; b < then.size(); ++b) {
      const bool same = then[b].scope == now[i].scope && then[b].tls && then[b].tls == now[i].tls;
      if (same && (is_like(listeners_[i], before.listeners_[b]) || expires(listeners_[i], before.listeners_[b]))) {
        listeners_[i] = before.listeners_[b];  // an expired pair never replaces a valid one; the next look says so
      }
    }
  }
  for (std::size_t i = 0; i < clusters_.size(); ++i) {
    for (std::size_t b = 0; b < before.clusters_.size(); ++b) {
      const upstream::ClusterPolicy& was = before.config_.clusters[b];
      const bool same = was.name == config_.clusters[i].name && was.tls && was.tls == config_.clusters[i].tls;
      if (same && clusters_[i].context->is_like(*before.clusters_[b].context)) clusters_[i] = before.clusters_[b];
    }
  }
}

/// Some pair is valid in `was` and is no more in `is`.
bool Certificates::expires(const Listener& is, const Listener& was) {
  const auto& now = is.context->certificates();
  const auto& then = was.context->certificates();
  for (std::size_t i = 0; i < now.size() && i < then.size(); ++i) {
    if (then[i]->is_valid_now() && !now[i]->is_valid_now()) return true;
  }
  return false;
}

/// The files say the same.
bool Certificates::is_like(const Listener& one, const Listener& other) {
  const auto& some = one.context->certificates();
  const auto& others = other.context->certificates();
  const auto same = [](const auto& a, const auto& b) {
    return a->fingerprint() == b->fingerprint() && a->staple() == b->staple();
  };
  if (!std::equal(some.begin(), some.end(), others.begin(), others.end(), same)) return false;
  if ((one.clients == nullptr) != (other.clients == nullptr)) return false;
  return one.clients == nullptr || one.clients->fingerprint() == other.clients->fingerprint();
}

std::vector<std::string> Certificates::files() const {
  std::vector<std::string> all;
  const auto add = [&all](const std::string& file) {
    if (!file.empty()) all.push_back(file);
  };
  for (const Place& from : places()) {
    if (!from.tls) continue;
    add(from.tls->client_ca);
    for (const net::CertificateFiles& files : from.tls->certificates) add(files.cert), add(files.key), add(files.ocsp);
  }
  for (const upstream::ClusterPolicy& from : config_.clusters) {
    if (from.tls) add(from.tls->ca), add(from.tls->cert), add(from.tls->key);
  }
  for (const std::string& file : events_.beside) add(file);
  return all;
}

void Certificates::start() {
  std::vector<std::string> all = files();
  if (all.empty()) return;
  try {
    watch_ = std::make_unique<net::FileWatch>(std::move(all), [this] { look(); });
    watch_->start();
    watch_->poke();  // they may have changed since they were read
  } catch (const std::exception& error) {
    watch_.reset();
    if (events_.on_problem) events_.on_problem("certificates are not looked at any more when their files change: " + std::string(error.what()));
  }
}

void Certificates::stop() {
  if (watch_) watch_->stop();
}

void Certificates::reread() {
  if (watch_) watch_->poke();
}

void Certificates::look() {
  const std::vector<Place> all = places();
  for (std::size_t i = 0; i < all.size(); ++i) {
    if (all[i].tls) look_at_listener(i, all[i]);
  }
  for (std::size_t i = 0; i < clusters_.size(); ++i) {
    if (config_.clusters[i].tls) look_at_cluster(i);
  }
  if (events_.on_look) events_.on_look();
}

/// @return true when there is nothing wrong. The same trouble is told once.
bool Certificates::tell(std::string& told, const std::string& whose, const std::vector<TlsProblem>& problems) {
  const std::string errors = errors_of(problems);
  for (const TlsProblem& problem : problems) {
    if (problem.is_warning && errors.empty() && events_.on_problem) events_.on_problem(whose + ": " + problem.message);
  }
  if (std::exchange(told, errors) == errors || errors.empty()) return errors.empty();
  count(false);
  if (events_.on_problem) events_.on_problem(whose + ": " + errors + "; what was read before stays in use");
  return false;
}

void Certificates::count(bool taken) {
  const std::lock_guard lock(mutex_);
  ++(taken ? reloads_ : failures_);
}

void Certificates::look_at_listener(std::size_t i, const Place& policy) {
  Listener& listener = listeners_[i];
  const std::string& whose = policy.name;
  net::TlsServerContext::Certificates certificates = listener.context->certificates();
  std::string news;
  for (std::size_t c = 0; c < certificates.size(); ++c) {
    TlsCertificate::Loaded loaded = TlsCertificate::load(policy.tls->certificates[c], c);
    const TlsCertificate& old = *certificates[c];
    const bool same = loaded.certificate && loaded.certificate->fingerprint() == old.fingerprint() &&
                      loaded.certificate->staple() == old.staple();
    if (loaded.certificate && !same && !loaded.certificate->is_valid_now() && old.is_valid_now()) {
      for (TlsProblem& problem : loaded.problems) problem.is_warning = false;
      loaded.certificate.reset();
    }
    if (same) loaded.problems.clear();  // its warnings were told
    if (!tell(listener.told[c], whose, loaded.problems) || same) continue;
    certificates[c] = std::move(loaded.certificate);
    news += (news.empty() ? "" : ", ") + policy.tls->certificates[c].cert;
  }
  std::shared_ptr<const net::TlsAuthorities> clients = listener.clients;
  std::vector<TlsProblem> problems;
  std::string problem;
  if (!policy.tls->client_ca.empty()) {
    std::shared_ptr<const net::TlsAuthorities> read = net::TlsAuthorities::load(policy.tls->client_ca, problem);
    if (!problem.empty()) add_problem(problems, TlsProblem::About::ClientCa, problem);
    const bool good = tell(listener.told.back(), whose, problems);
    if (good && read->fingerprint() != clients->fingerprint()) {
      clients = std::move(read);
      news += (news.empty() ? "" : ", ") + policy.tls->client_ca;
    }
  }
  if (news.empty()) return;
  auto context = net::TlsServerContext::make(*policy.tls, policy.scope, tickets_, std::move(certificates), clients, problem);
  if (context == nullptr) {  // every pair was tried when it was read: no memory
    count(false);
    if (events_.on_problem) events_.on_problem(whose + ": " + problem + "; what was read before stays in use");
    return;
  }
  {
    const std::lock_guard lock(mutex_);
    listener.context = context;
    listener.clients = std::move(clients);
    ++reloads_;
  }
  if (i < config_.listeners.size()) {
    if (events_.on_listener) events_.on_listener(i, std::move(context));
  } else if (events_.on_admin) {
    events_.on_admin(std::move(context));
  }
  if (events_.on_news) events_.on_news(whose + ": " + news + " was read again and is in use from now on");
}

void Certificates::look_at_cluster(std::size_t i) {
  const upstream::ClusterPolicy& policy = config_.clusters[i];
  Cluster& cluster = clusters_[i];
  const std::string whose = "cluster " + policy.name;
  std::vector<TlsProblem> problems;
  std::shared_ptr<const net::TlsClientContext> context = net::TlsClientContext::load(*policy.tls, problems);
  const bool same = context && context->is_like(*cluster.context);
  const TlsCertificate* const old = cluster.context->certificate();
  if (context && !same && old != nullptr && old->is_valid_now() && !context->certificate()->is_valid_now()) {
    for (TlsProblem& problem : problems) problem.is_warning = false;
  }
  if (same) problems.clear();
  if (!tell(cluster.told, whose, problems) || same) return;
  {
    const std::lock_guard lock(mutex_);
    cluster.context = context;
    ++reloads_;
  }
  if (events_.on_cluster) events_.on_cluster(i, std::move(context));
  if (events_.on_news) events_.on_news(whose + ": its TLS files were read again and are in use from now on");
}

CertificateFacts Certificates::facts() const {
  const std::lock_guard lock(mutex_);
  CertificateFacts out;
  const std::vector<Place> all = places();
  for (std::size_t i = 0; i < all.size(); ++i) {
    if (!listeners_[i].context) continue;
    for (const auto& one : listeners_[i].context->certificates()) {
      out.certificates.push_back({all[i].used_by, one->files().cert, one->not_after()});
    }
  }
  for (std::size_t i = 0; i < clusters_.size(); ++i) {
    const TlsCertificate* const one = clusters_[i].context ? clusters_[i].context->certificate() : nullptr;
    if (one != nullptr) out.certificates.push_back({"upstream/" + config_.clusters[i].name, one->files().cert, one->not_after()});
  }
  out.reloads = reloads_;
  out.failures = failures_;
  return out;
}

}  // namespace tidegate::control
