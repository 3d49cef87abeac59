#include "config/check_files.h"

#include <string_view>

#include "config/file_access.h"
#include "config/path.h"
#include "config/token_file.h"
#include "net/tls_context.h"

namespace tidegate::config {
namespace {

using net::TlsProblem;

std::string_view key_of(TlsProblem::About about) noexcept {
  switch (about) {
    case TlsProblem::About::Cert: return "cert";
    case TlsProblem::About::Key: return "key";
    case TlsProblem::About::Ocsp: return "ocsp";
    case TlsProblem::About::ClientCa: return "client_ca";
    case TlsProblem::About::Ca: return "ca";
  }
  return "";
}

void report(const TlsProblem& problem, const Node& root, Path path, Problems& problems) {
  if (problem.is_warning) {
    problems.warning(locate(root, path), to_string(path), problem.message);
  } else {
    problems.error(locate(root, path), to_string(path), problem.message);
  }
}

void report(const std::string& problem, const Node& root, Path path, Problems& problems) {
  if (!problem.empty()) problems.error(locate(root, path), to_string(path), problem);
}

void check_listener(const net::TlsServerPolicy& tls, std::size_t listener, const Node& root, Problems& problems) {
  for (std::size_t i = 0; i < tls.certificates.size(); ++i) {
    const net::CertificateFiles& files = tls.certificates[i];
    if (files.cert.empty() || files.key.empty()) continue;  // reported as missing
    for (const TlsProblem& problem : net::TlsCertificate::load(files, i).problems) {
      report(problem, root, {"listeners", listener, "tls", "certificates", i, key_of(problem.about)}, problems);
    }
  }
  std::string problem;
  if (!tls.client_ca.empty()) net::TlsAuthorities::load(tls.client_ca, problem);
  report(problem, root, {"listeners", listener, "tls", "client_ca"}, problems);
}

void check_admin(const Admin& admin, const Node& root, Problems& problems) {
  if (!admin.token_file.empty()) {
    const TokenFile tokens = check_tokens(admin.token_file);
    const Path path{"admin", "token_file"};
    for (const std::string& problem : tokens.errors) report(problem, root, path, problems);
    for (const std::string& problem : tokens.warnings) problems.warning(locate(root, path), to_string(path), problem);
  }
  if (!admin.tls) return;
  const net::CertificateFiles& files = admin.tls->certificates.front();
  if (!files.cert.empty() && !files.key.empty()) {
    for (const TlsProblem& problem : net::TlsCertificate::load(files).problems) {
      report(problem, root, {"admin", "tls", key_of(problem.about)}, problems);
    }
  }
  std::string problem;
  if (!admin.tls->client_ca.empty()) net::TlsAuthorities::load(admin.tls->client_ca, problem);
  report(problem, root, {"admin", "tls", "client_ca"}, problems);
}

void check_clusters(const Config& config, const Node& root, Problems& problems) {
  for (const upstream::ClusterPolicy& cluster : config.clusters) {
    if (!cluster.tls || cluster.tls->cert.empty() != cluster.tls->key.empty()) continue;
    std::vector<TlsProblem> found;
    net::TlsClientContext::load(*cluster.tls, found);
    for (const TlsProblem& problem : found) report(problem, root, {"clusters", cluster.name, "tls", key_of(problem.about)}, problems);
  }
}

/// Of a server that Tidegate asks by itself: read anew for each question, so this is the only time that anybody is told early.
std::vector<TlsProblem> problems_of(const outbound::TlsPolicy& tls) {
  std::vector<TlsProblem> found;
  const bool names_files = !tls.ca.empty() || !tls.cert.empty();
  if (!names_files || tls.cert.empty() != tls.key.empty()) return found;  // half an identity was reported
  net::TlsClientPolicy policy;
  policy.ca = tls.ca;
  policy.verify = tls.verify;
  policy.cert = tls.cert;
  policy.key = tls.key;
  net::TlsClientContext::load(policy, found);
  return found;
}

void check_questions(const Config& config, const Node& root, Problems& problems) {
  for (const check::CheckPolicy& check : config.checks) {
    const auto look = [&](std::string_view kind, const outbound::TlsPolicy& tls) {
      for (const TlsProblem& problem : problems_of(tls)) {
        report(problem, root, {"checks", check.name, kind, "tls", key_of(problem.about)}, problems);
      }
    };
    if (const auto* prometheus = std::get_if<check::PrometheusCheck>(&check.what)) look("prometheus", prometheus->server.tls);
    if (const auto* webhook = std::get_if<check::WebhookCheck>(&check.what)) look("webhook", webhook->destination.tls);
  }
  for (std::size_t i = 0; i < config.notify.size(); ++i) {
    for (const TlsProblem& problem : problems_of(config.notify[i].destination.tls)) {
      report(problem, root, {"notify", i, "webhook", "tls", key_of(problem.about)}, problems);
    }
  }
}

void check_service(const Config& config, const Node& root, Problems& problems) {
  const std::string& log = config.log.access.path;
  if (log != "off" && log != "stdout") report(writing_problem(log, Written::Alone), root, {"log", "access", "path"}, problems);
  const std::string& state = config.state.path;
  if (!state.empty()) report(writing_problem(state, Written::WithNeighbours), root, {"state", "path"}, problems);
}

}  // namespace

void check_files(const Config& config, const Node& root, Problems& problems) {
  for (std::size_t i = 0; i < config.listeners.size(); ++i) {
    if (config.listeners[i].tls) check_listener(*config.listeners[i].tls, i, root, problems);
  }
  check_clusters(config, root, problems);
  check_questions(config, root, problems);
  check_admin(config.admin, root, problems);
  check_service(config, root, problems);
}

}  // namespace tidegate::config
