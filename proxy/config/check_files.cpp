#include "config/check_files.h"

#include <string_view>

#include "config/path.h"
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

void check_listener(const net::TlsServerPolicy& tls, std::size_t listener, const Node& root, Problems& problems) {
  for (std::size_t i = 0; i < tls.certificates.size(); ++i) {
    const net::CertificateFiles& files = tls.certificates[i];
    if (files.cert.empty() || files.key.empty()) continue;  // reported as missing
    for (const TlsProblem& problem : net::TlsCertificate::load(files, i).problems) {
      report(problem, root, {"listeners", listener, "tls", "certificates", i, key_of(problem.about)}, problems);
    }
  }
  std::string problem;
  if (tls.client_ca.empty() || net::TlsAuthorities::load(tls.client_ca, problem) != nullptr) return;
  const Path at{"listeners", listener, "tls", "client_ca"};
  problems.error(locate(root, at), to_string(at), problem);
}

}  // namespace

void check_files(const Config& config, const Node& root, Problems& problems) {
  for (std::size_t i = 0; i < config.listeners.size(); ++i) {
    if (config.listeners[i].tls) check_listener(*config.listeners[i].tls, i, root, problems);
  }
  for (const upstream::ClusterPolicy& cluster : config.clusters) {
    if (!cluster.tls || cluster.tls->cert.empty() != cluster.tls->key.empty()) continue;
    std::vector<TlsProblem> found;
    net::TlsClientContext::load(*cluster.tls, found);
    for (const TlsProblem& problem : found) report(problem, root, {"clusters", cluster.name, "tls", key_of(problem.about)}, problems);
  }
}

}  // namespace tidegate::config
