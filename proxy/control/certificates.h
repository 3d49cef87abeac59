// Certificates and keys, while the program runs: read when it starts, and again when their files change (net/file_watch.h).
// Each pair for itself: a good one is in force for the connections from then on, a bad one changes nothing and is told once;
// connections go on with what they began with. An expired pair never replaces one that is valid. Those of listeners, of the
// admin API and of clusters; other files that somebody wants to be told of are watched along, so that there is one thread.
//
// Not here: what a certificate is (net/tls_certificate.h), how a handshake uses it (net/tls_context.h). The watch's thread
// reads and calls back; facts() may be asked by any.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "config/config.h"
#include "net/file_watch.h"
#include "net/tls_context.h"

namespace tidegate::control {

/// For the metrics.
struct CertificateFacts {
  struct One {
    std::string used_by;          ///< "listener/web", "admin", "upstream/old"
    std::string file;
    std::int64_t not_after = 0;   ///< seconds since the Unix epoch
  };
  std::vector<One> certificates;
  std::uint64_t reloads = 0;      ///< changes that are in force
  std::uint64_t failures = 0;     ///< changes that were not taken
};

class Certificates {
 public:
  struct Events {
    std::function<void(std::size_t listener, std::shared_ptr<const net::TlsServerContext>)> on_listener;
    std::function<void(std::shared_ptr<const net::TlsServerContext>)> on_admin;
    std::function<void(std::size_t cluster, std::shared_ptr<const net::TlsClientContext>)> on_cluster;
    std::function<void(const std::string&)> on_news;      ///< a change is in force
    std::function<void(const std::string&)> on_problem;   ///< a change was not taken, or a certificate has expired
    std::vector<std::string> beside{};      ///< files of somebody else that are watched along
    std::function<void()> on_look{};        ///< with each look at the files
  };

  /// Reads everything. @param config outlives it; so do the keys, which sessions refer to.
  /// @param before of the configuration before: contexts that would be the same go on, with the sessions that can be
  /// resumed and the connections that were made with them.
  /// @throws std::runtime_error naming the file.
  Certificates(const config::Config& config, net::TicketKeys& tickets, Events events, const Certificates* before = nullptr);
  /// Reads again whenever something changes, from now on.
  void start();
  void stop();
  /// Any thread: looks at the files now.
  void reread();

  /// nullptr: plain. Before start().
  const std::shared_ptr<const net::TlsServerContext>& listener(std::size_t i) const noexcept { return listeners_[i].context; }
  const std::shared_ptr<const net::TlsServerContext>& admin() const noexcept { return listeners_.back().context; }
  const std::shared_ptr<const net::TlsClientContext>& cluster(std::size_t i) const noexcept { return clusters_[i].context; }
  CertificateFacts facts() const;

 private:
  /// Where clients connect to: a listener, or the admin API, which is the last of them.
  struct Place {
    std::string name;     ///< "listener web"
    std::string used_by;  ///< of the metrics: "listener/web"
    std::string scope;    ///< what tickets are bound to
    const std::optional<net::TlsServerPolicy>& tls;
  };
  struct Listener {
    std::shared_ptr<const net::TlsServerContext> context;
    std::shared_ptr<const net::TlsAuthorities> clients;
    std::vector<std::string> told;  ///< of each certificate, and of client_ca: what is wrong with its files
  };
  struct Cluster {
    std::shared_ptr<const net::TlsClientContext> context;
    std::string told;
  };

  std::vector<Place> places() const;
  Listener read_listener(const Place& place, std::vector<net::TlsProblem>& problems) const;
  void go_on_with(const Certificates& before);
  static bool expires(const Listener& is, const Listener& was);
  static bool is_like(const Listener& one, const Listener& other);
  std::vector<std::string> files() const;
  void look();
  void look_at_listener(std::size_t i, const Place& place);
  void look_at_cluster(std::size_t i);
  bool tell(std::string& told, const std::string& whose, const std::vector<net::TlsProblem>& problems);
  void count(bool taken);

  const config::Config& config_;
  const Events events_;
  net::TicketKeys& tickets_;
  mutable std::mutex mutex_;  // of what facts() shows
  std::vector<Listener> listeners_;
  std::vector<Cluster> clusters_;
  std::uint64_t reloads_ = 0;
  std::uint64_t failures_ = 0;
  std::unique_ptr<net::FileWatch> watch_;
};

}  // namespace tidegate::control
