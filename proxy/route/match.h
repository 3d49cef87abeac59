// The condition that picks a route: host, path, method, headers; every part that is given must hold. Pure.
#pragma once

#include <string_view>

#include "http/head.h"
#include "route/policy.h"

namespace tidegate::route {

bool matches(const MatchPolicy& match, const http::RequestHead& request) noexcept;
/// The rest of the condition, once host and path are known to hold: methods and headers.
bool matches_besides_place(const MatchPolicy& match, const http::RequestHead& request) noexcept;

/// "*.example.org" matches every subdomain, not example.org itself. Both lower case or not: case is ignored.
bool host_matches(std::string_view pattern, std::string_view host) noexcept;
/// A prefix with a trailing slash means the same as without.
constexpr std::string_view without_trailing_slash(std::string_view prefix) noexcept {
  return prefix.ends_with('/') ? prefix.substr(0, prefix.size() - 1) : prefix;
}
/// A prefix matches whole segments: /api matches /api, /api/ and /api/x, not /apis.
bool path_matches(const PathMatch& match, std::string_view path) noexcept;

}  // namespace tidegate::route
