// Finds the first route that matches without asking all of them: routes are filed under their hosts and paths, and only
// those filed where the request looks are asked for the rest (methods, headers). What a request costs does not grow with
// the number of hosts or prefixes (PRODUCT §6). First match still wins, in the order of the configuration.
//
// Built once with the snapshot, then read by every worker. Pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "http/head.h"
#include "route/policy.h"

namespace tidegate::route {

class RouteIndex {
 public:
  static constexpr std::size_t kNone = ~std::size_t{0};

  /// @param matches by route, in order; must outlive the index.
  explicit RouteIndex(std::vector<const MatchPolicy*> matches);

  /// The number of the first route that matches, or kNone.
  std::size_t find(const http::RequestHead& request) const noexcept;

 private:
  using Numbers = std::vector<std::uint32_t>;  // of routes, ascending

  struct Hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const noexcept { return std::hash<std::string_view>()(text); }
  };
  template <class T>
  using Map = std::unordered_map<std::string, T, Hash, std::equal_to<>>;

  /// The routes of one host, by path.
  struct Paths {
    Numbers any;
    Map<Numbers> exact;
    Map<Numbers> prefix;  // without a trailing slash
    std::size_t longest_prefix = 0;
    void add(const PathMatch& path, std::uint32_t number);
  };

  struct Search;
  void file(const std::string& host, const PathMatch& path, std::uint32_t number);

  std::vector<const MatchPolicy*> matches_;
  Paths any_host_;
  Map<Paths> hosts_;     // lower case
  Map<Paths> suffixes_;  // of "*.example.org": "example.org"
};

}  // namespace tidegate::route
