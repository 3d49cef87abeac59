// The part of Metrics that shows TLS: handshakes on both legs, and the certificates that are in use.
#include "net/tls_result.h"
#include "observe/metrics.h"

namespace tidegate::observe {

/// Every result is there from the start: an alert on `bad_certificate` has to see the first one.
void Metrics::add_handshakes(Exposition& page) const {
  auto down = page.counter("tidegate_tls_handshakes_total", "TLS handshakes with clients, by what they came to.");
  auto down_resumed = page.counter("tidegate_tls_resumptions_total", "Of the good ones, those that resumed a session.");
  auto up = page.counter("tidegate_upstream_tls_handshakes_total", "TLS handshakes with endpoints, by what they came to.");
  auto up_resumed = page.counter("tidegate_upstream_tls_resumptions_total", "Of the good ones, those that resumed a session.");
  for (std::size_t i = 0; i < setup_.listeners.size(); ++i) {
    if (!setup_.listeners[i].tls) continue;
    const std::string& name = setup_.listeners[i].name;
    for (std::size_t r = 0; r < net::kTlsResultCount; ++r) {
      down.add({{"listener", name}, {"result", net::name(static_cast<net::TlsResult>(r))}},
               sum([=](const ConfiguredCounters& c) { return c.listeners[i].results[r].read(); }));
    }
    down_resumed.add({{"listener", name}}, sum([=](const ConfiguredCounters& c) { return c.listeners[i].resumed.read(); }));
  }
  for (std::size_t i = 0; i < setup_.cluster_tls.size(); ++i) {
    if (!setup_.cluster_tls[i]) continue;
    for (std::size_t r = 0; r < net::kTlsResultCount; ++r) {
      up.add({{"upstream", setup_.clusters[i]}, {"result", net::name(static_cast<net::TlsResult>(r))}},
             sum([=](const ConfiguredCounters& c) { return c.clusters[i].tls.results[r].read(); }));
    }
    up_resumed.add({{"upstream", setup_.clusters[i]}}, sum([=](const ConfiguredCounters& c) { return c.clusters[i].tls.resumed.read(); }));
  }
}

void Metrics::add_certificates(Exposition& page, const LiveFacts& live) const {
  if (live.certificates.empty()) return;
  auto ends = page.gauge("tidegate_tls_cert_not_after_timestamp_seconds",
                         "When the certificate in use expires, in seconds since the Unix epoch.");
  for (const LiveCertificate& one : live.certificates) ends.add({{"used_by", one.used_by}, {"file", one.file}}, one.not_after);
  auto reloads = page.counter("tidegate_tls_reloads_total", "Files of certificates and keys that changed, by what became of it.");
  reloads.add({{"result", "ok"}}, live.certificate_reloads);
  reloads.add({{"result", "failed"}}, live.certificate_failures);
}

}  // namespace tidegate::observe
