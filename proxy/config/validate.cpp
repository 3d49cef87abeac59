#include "config/validate.h"

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "config/addresses.h"
#include "config/path.h"
#include "config/suggest.h"

namespace tidegate::config {
namespace {

class Validation {
 public:
  Validation(const Config& config, const Node& root, Problems& problems)
      : config_(config), root_(root), problems_(problems) {
    for (const upstream::ClusterPolicy& cluster : config.clusters) clusters_.push_back(cluster.name);
  }

  void run() {
    check_listener_names();
    check_addresses();
    for (std::size_t i = 0; i < config_.listeners.size(); ++i) check_listener(i);
    check_admin();
    check_route_names();
    for (std::size_t i = 0; i < config_.routes.size(); ++i) check_route(i);
    check_shadowed_routes();
    check_unused_clusters();
    check_announced_clusters();
    check_health();
    check_cluster_names();
  }

 private:
  void error(Path path, std::string message) {
    problems_.error(locate(root_, path), to_string(path), std::move(message));
  }
  void warning(Path path, std::string message) {
    problems_.warning(locate(root_, path), to_string(path), std::move(message));
  }

  void check_listener_names() {
    std::set<std::string_view> seen;
    for (std::size_t i = 0; i < config_.listeners.size(); ++i) {
      const std::string& name = config_.listeners[i].name;
      if (name.empty() || seen.insert(name).second) continue;
      error({"listeners", i, "name"}, "a second listener named " + in_quotes(name));
    }
  }

  void check_listener(std::size_t i) {
    const Listener& listener = config_.listeners[i];
    const bool on_path = listener.address.host.starts_with("unix:/");
    if (listener.mode && !listener.address.host.empty() && !on_path) {
      error({"listeners", i, "mode"}, "only a unix-domain socket with a path has a file mode");
    }
    if (listener.session.proxy_protocol) check_proxy_senders(i, is_unix(listener.address.host));
  }

  /// Never guessed: without anybody who may send the header every connection would be closed.
  void check_proxy_senders(std::size_t i, bool on_unix) {
    const Node* const trusted = root_.find("trusted_proxies") != nullptr ? &root_.find("trusted_proxies")->value : nullptr;
    if (config_.trusted_proxies.empty() && trusted != nullptr) return;  // given, and reported as bad
    const bool somebody = std::any_of(config_.trusted_proxies.begin(), config_.trusted_proxies.end(),
                                      [&](const AddressRange& range) { return (range.address == kUnixSockets) == on_unix; });
    if (somebody) return;
    error({"listeners", i, "proxy_protocol"},
          std::string("accept needs trusted_proxies with ") + (on_unix ? "\"unix\" in it" : "the addresses of the senders") +
              ": a PROXY header is only believed from them, and every other connection is closed");
  }

  /// Two sockets on one address; port 0 is a different port each time.
  void check_addresses() {
    std::map<std::string, std::string> users;
    for (std::size_t i = 0; i < config_.listeners.size(); ++i) {
      check_address({"listeners", i, "address"}, config_.listeners[i].address, users);
    }
    check_address({"admin", "address"}, config_.admin.address, users);
    if (config_.metrics) check_address({"metrics", "address"}, *config_.metrics, users);
  }

  void check_address(Path path, const SocketAddress& address, std::map<std::string, std::string>& users) {
    if (address.host.empty() || (address.port == 0 && !is_unix(address.host))) return;
    const auto [user, is_new] = users.emplace(to_string(address), to_string(path));
    if (!is_new) error(path, to_string(address) + " is already the address of " + user->second);
  }

  void check_admin() {
    if (is_loopback(config_.admin.address) || !config_.admin.token_file.empty()) return;
    const Node* admin = root_.find("admin") != nullptr ? &root_.find("admin")->value : nullptr;
    if (admin != nullptr && admin->find("token_file") != nullptr) return;  // given, and reported as bad
    error({"admin", "address"}, to_string(config_.admin.address) + " can be reached from other machines: " +
                                    "token_file is required, or a loopback address");
  }

  void check_route_names() {
    std::set<std::string_view> seen;
    for (std::size_t i = 0; i < config_.routes.size(); ++i) {
      const std::string& name = config_.routes[i].policy.name;
      if (name.empty() || seen.insert(name).second) continue;
      error({"routes", i, "name"}, "a second route named " + in_quotes(name));
    }
  }

  void check_route(std::size_t i) {
    const route::RoutePolicy& route = config_.routes[i].policy;
    for (const Side side : {Side::Old, Side::New}) check_reference(i, side);
    if (route.clusters[Side::Old] == route.clusters[Side::New]) {
      warning({"routes", i}, "old and new are the same cluster, " + in_quotes(route.clusters[Side::Old]) +
                                 ": good for an A/A test, shifts nothing");
    }
    if (route.mirror) check_mirror(i, *route.mirror);
    if (config_.routes[i].slow) check_slow(i, *config_.routes[i].slow);
    if (config_.routes[i].rollout) check_rollout(i, *config_.routes[i].rollout);
  }

  void check_reference(std::size_t i, Side side) {
    const std::string& cluster = config_.routes[i].policy.clusters[side];
    const bool exists = std::find(clusters_.begin(), clusters_.end(), cluster) != clusters_.end();
    if (exists || clusters_.empty()) return;  // without any cluster there is one problem, not one a route
    error({"routes", i, name(side)}, "no cluster is named " + in_quotes(cluster) + suggestion(cluster, clusters_));
  }

  /// What ends as a timeout never was slow before.
  void check_slow(std::size_t i, const gate::SlowRule& slow) {
    for (const upstream::ClusterPolicy& cluster : config_.clusters) {
      if (cluster.name != config_.routes[i].policy.clusters[Side::New]) continue;
      if (slow.over_s < seconds(cluster.timeouts.response_header)) return;
      warning({"routes", i, "gate", "slow", "over"},
              "nothing will ever be this slow: the response_header timeout of cluster " + in_quotes(cluster.name) +
                  " is not longer");
    }
  }

  void check_rollout(std::size_t i, const rollout::Plan& plan) {
    Weight highest;
    for (std::size_t s = 0; s < plan.steps.size(); ++s) {
      const rollout::Step& step = plan.steps[s];
      const Path at{"routes", i, "rollout", "steps", s};
      if (step.kind == rollout::Step::Kind::Weight && step.percent < highest) {
        error(at, "the weight falls from " + highest.text() + " to " + step.percent.text() +
                      ": a rollout only raises it (back is `abort`, `undo` or a revert)");
      }
      if (step.kind == rollout::Step::Kind::Weight) highest = std::max(highest, step.percent);
      if (step.kind == rollout::Step::Kind::Mirror && !config_.routes[i].policy.mirror) {
        error(at, "the route has no mirror: give it one (mirror: {percent: 0})");
      }
      if (step.kind == rollout::Step::Kind::Check) check_check_step(at, step.check);
      if (step.kind == rollout::Step::Kind::Check) check_asked_side(at, i, step.check);
    }
    for (std::size_t c = 0; c < plan.checks.size(); ++c) {
      check_check_name({"routes", i, "rollout", "checks", c}, plan.checks[c]);
      check_asked_side({"routes", i, "rollout", "checks", c}, i, plan.checks[c]);
    }
    if (plan.steps.empty()) error({"routes", i, "rollout"}, "a rollout without steps");
  }

  /// A hook that is only told passes nothing.
  void check_check_step(Path path, const std::string& wanted) {
    check_check_name(path, wanted);
    for (const check::CheckPolicy& check : config_.checks) {
      const auto* const hook = std::get_if<check::WebhookCheck>(&check.what);
      if (check.name != wanted || hook == nullptr) continue;
      if (hook->type == check::WebhookType::Event || hook->type == check::WebhookType::PostRollout) {
        error(path, "check " + in_quotes(wanted) + " is only told (its type is " + std::string(check::name(hook->type)) +
                        "): a step needs one that answers");
      }
    }
  }

  /// An http check goes to the side's endpoints by itself: over TCP, and without a PROXY header.
  void check_asked_side(Path path, std::size_t i, const std::string& wanted) {
    for (const check::CheckPolicy& check : config_.checks) {
      const auto* const http = std::get_if<check::HttpCheck>(&check.what);
      if (check.name != wanted || http == nullptr) continue;
      for (const upstream::ClusterPolicy& cluster : config_.clusters) {
        if (cluster.name != config_.routes[i].policy.clusters[http->side]) continue;
        const bool on_unix = std::any_of(cluster.endpoints.begin(), cluster.endpoints.end(),
                                         [](const upstream::EndpointAddress& one) { return is_unix(one.host); });
        if (on_unix) {
          error(path, "check " + in_quotes(wanted) + " cannot ask cluster " + in_quotes(cluster.name) +
                          ": one of its endpoints is a unix-domain socket, and checks go over TCP");
        } else if (cluster.proxy_protocol) {
          warning(path, "check " + in_quotes(wanted) + " asks the endpoints of cluster " + in_quotes(cluster.name) +
                            " without a PROXY header, which proxy_protocol says that they expect");
        }
      }
    }
  }

  void check_check_name(Path path, const std::string& wanted) {
    if (wanted.empty()) return;  // reported as bad
    std::vector<std::string_view> known;
    for (const check::CheckPolicy& check : config_.checks) known.push_back(check.name);
    if (std::find(known.begin(), known.end(), wanted) != known.end()) return;
    error(path, "no check is named " + in_quotes(wanted) + suggestion(wanted, known));
  }

  /// RFC 9110 §9.2.1: what is not safe changes something, and a copy changes it twice.
  void check_mirror(std::size_t i, const route::MirrorPolicy& mirror) {
    constexpr std::string_view kSafe[] = {"GET", "HEAD", "OPTIONS", "TRACE"};
    std::string unsafe;
    for (const std::string& method : mirror.methods) {
      if (std::find(std::begin(kSafe), std::end(kSafe), method) != std::end(kSafe)) continue;
      unsafe += (unsafe.empty() ? "" : ", ") + method;
    }
    if (unsafe.empty()) return;
    warning({"routes", i, "mirror", "methods"},
            unsafe + " may change data, and a copy changes it a second time; mirror it only to a cluster that has "
                     "data of its own");
  }

  /// A route behind one that takes everything, or behind one with the very same match.
  void check_shadowed_routes() {
    std::map<std::string, std::string> first;  // match -> route
    for (std::size_t i = 0; i < config_.routes.size(); ++i) {
      const route::RoutePolicy& route = config_.routes[i].policy;
      const auto everything = first.find(text_of({}));
      const auto [same, is_new] = first.emplace(text_of(route.match), route.name);
      const auto cause = everything != first.end() ? everything : same;
      if (is_new && everything == first.end()) continue;
      warning({"routes", i}, "can never match: the first match wins, and route " + in_quotes(cause->second) +
                                 " before it takes all of its requests");
    }
  }

  /// Equal for equal matches only: every part begins with its length.
  static std::string text_of(const route::MatchPolicy& match) {
    std::string out;
    const auto add = [&out](std::string_view part) { (out += std::to_string(part.size()) += ':') += part; };
    const auto add_list = [&](std::vector<std::string> list) {
      std::sort(list.begin(), list.end());
      out += std::to_string(list.size()) + '[';
      for (const std::string& part : list) add(part);
    };
    add_list(match.hosts);
    out += static_cast<char>('0' + static_cast<int>(match.path.kind));
    add(match.path.value);
    add_list(match.methods);
    std::vector<std::string> headers;
    for (const route::HeaderMatch& header : match.headers) {
      headers.push_back(header.name + ':' + std::to_string(static_cast<int>(header.kind)) + header.value);
    }
    add_list(std::move(headers));
    return out;
  }

  /// One HTTP/2 connection carries the requests of many clients, a PROXY header names one.
  void check_announced_clusters() {
    for (const upstream::ClusterPolicy& cluster : config_.clusters) {
      if (!cluster.proxy_protocol || cluster.protocol != upstream::Protocol::Http2) continue;
      error({"clusters", cluster.name, "proxy_protocol"},
            "a PROXY header names one client, and a connection of protocol http2 carries the requests of many; use http1");
    }
  }

  void check_health() {
    for (const upstream::ClusterPolicy& cluster : config_.clusters) {
      if (!cluster.health) continue;
      const bool call = cluster.health->kind == upstream::HealthKind::Grpc;
      if (call && cluster.protocol != upstream::Protocol::Http2) {
        error({"clusters", cluster.name, "health", "type"}, "grpc is asked over HTTP/2: the cluster's protocol has to be http2");
      }
      if (!call && !cluster.health->service.empty()) {
        error({"clusters", cluster.name, "health", "service"}, "only checks of type grpc ask for a service");
      }
    }
  }

  /// What a certificate has to be for.
  void check_cluster_names() {
    for (const upstream::ClusterPolicy& cluster : config_.clusters) {
      if (!cluster.tls || !cluster.tls->verify || !cluster.tls->sni.empty()) continue;
      const bool nameless = std::any_of(cluster.endpoints.begin(), cluster.endpoints.end(),
                                        [](const upstream::EndpointAddress& endpoint) { return is_unix(endpoint.host); });
      if (nameless) error({"clusters", cluster.name, "tls"}, "a unix-domain endpoint has no name that could be verified: sni is required");
    }
  }

  void check_unused_clusters() {
    if (config_.routes.empty()) return;
    for (const upstream::ClusterPolicy& cluster : config_.clusters) {
      const bool used = std::any_of(config_.routes.begin(), config_.routes.end(), [&](const Route& route) {
        const PerSide<std::string>& sides = route.policy.clusters;
        return sides[Side::Old] == cluster.name || sides[Side::New] == cluster.name;
      });
      if (!used) warning({"clusters", cluster.name}, "no route uses this cluster");
    }
  }

  const Config& config_;
  const Node& root_;
  Problems& problems_;
  std::vector<std::string_view> clusters_;
};

}  // namespace

void validate(const Config& config, const Node& root, Problems& problems) {
  Validation(config, root, problems).run();
}

}  // namespace tidegate::config
