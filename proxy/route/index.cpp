#include "route/index.h"

#include <algorithm>
#include <array>

#include "http/grammar.h"
#include "route/match.h"

namespace tidegate::route {

namespace {

constexpr std::size_t kHostBytes = 255;  // is_host() lets no longer one through

std::string lower_case(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(), http::lower);
  return out;
}

}  // namespace

RouteIndex::RouteIndex(std::vector<const MatchPolicy*> matches) : matches_(std::move(matches)) {
  for (std::uint32_t number = 0; number < matches_.size(); ++number) {
    const MatchPolicy& match = *matches_[number];
    if (match.hosts.empty()) any_host_.add(match.path, number);
    for (const std::string& host : match.hosts) file(lower_case(host), match.path, number);
  }
}

void RouteIndex::file(const std::string& host, const PathMatch& path, std::uint32_t number) {
  if (host.starts_with("*.")) {
    suffixes_[host.substr(2)].add(path, number);
  } else {
    hosts_[host].add(path, number);
  }
}

void RouteIndex::Paths::add(const PathMatch& path, std::uint32_t number) {
  Numbers* to = &any;
  if (path.kind == PathMatch::Kind::Exact) to = &exact[path.value];
  if (path.kind == PathMatch::Kind::Prefix) {
    const std::string_view normal = without_trailing_slash(path.value);
    longest_prefix = std::max(longest_prefix, normal.size());
    to = &prefix[std::string(normal)];
  }
  if (to->empty() || to->back() != number) to->push_back(number);  // a host may be named twice
}

/// One look-up: keeps the lowest number found so far, so that later places are only asked for lower ones.
struct RouteIndex::Search {
  const std::vector<const MatchPolicy*>& matches;
  const http::RequestHead& request;
  std::string_view path;
  std::size_t best = kNone;

  void among(const Numbers& numbers) noexcept {
    for (const std::uint32_t number : numbers) {
      if (number >= best) return;
      if (matches_besides_place(*matches[number], request)) {
        best = number;
        return;
      }
    }
  }
  void among(const Map<Numbers>& filed, std::string_view key) noexcept {
    const auto found = filed.find(key);
    if (found != filed.end()) among(found->second);
  }
  void among(const Paths& paths) noexcept {
    among(paths.any);
    if (!paths.exact.empty()) among(paths.exact, path);
    if (paths.prefix.empty()) return;
    const std::size_t most = std::min(path.size(), paths.longest_prefix);
    for (std::size_t end = 0; end <= most; ++end) {  // every prefix of whole segments
      if (end == path.size() || path[end] == '/') among(paths.prefix, path.substr(0, end));
    }
  }
};

std::size_t RouteIndex::find(const http::RequestHead& request) const noexcept {
  Search search{matches_, request, request.path()};
  search.among(any_host_);
  if (hosts_.empty() && suffixes_.empty()) return search.best;
  const std::string_view host = http::without_port(request.authority);
  if (host.size() > kHostBytes) return search.best;
  std::array<char, kHostBytes> lowered;
  std::transform(host.begin(), host.end(), lowered.begin(), http::lower);
  const std::string_view name(lowered.data(), host.size());
  if (const auto found = hosts_.find(name); found != hosts_.end()) search.among(found->second);
  if (suffixes_.empty()) return search.best;
  // A star stands for at least one character before the dot.
  for (std::size_t dot = name.find('.', 1); dot != std::string_view::npos; dot = name.find('.', dot + 1)) {
    if (const auto found = suffixes_.find(name.substr(dot + 1)); found != suffixes_.end()) search.among(found->second);
  }
  return search.best;
}

}  // namespace tidegate::route
