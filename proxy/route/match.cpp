#include "route/match.h"

#include <algorithm>

#include "http/grammar.h"

namespace tidegate::route {

bool host_matches(std::string_view pattern, std::string_view host) noexcept {
  if (!pattern.starts_with("*.")) return http::equals_ignoring_case(host, pattern);
  const std::string_view suffix = pattern.substr(1);  // ".example.org"
  return host.size() > suffix.size() && http::equals_ignoring_case(host.substr(host.size() - suffix.size()), suffix);
}

bool path_matches(const PathMatch& match, std::string_view path) noexcept {
  switch (match.kind) {
    case PathMatch::Kind::Any: return true;
    case PathMatch::Kind::Exact: return path == match.value;
    case PathMatch::Kind::Prefix: break;
  }
  const std::string_view prefix = without_trailing_slash(match.value);
  return path.starts_with(prefix) && (path.size() == prefix.size() || path[prefix.size()] == '/');
}

namespace {

bool header_matches(const HeaderMatch& match, const http::FieldList& fields) noexcept {
  return std::any_of(fields.begin(), fields.end(), [&](const http::Field& field) {
    if (!http::equals_ignoring_case(fields.name(field), match.name)) return false;
    switch (match.kind) {
      case HeaderMatch::Kind::Present: return true;
      case HeaderMatch::Kind::Exact: return fields.value(field) == match.value;
      case HeaderMatch::Kind::Prefix: return fields.value(field).starts_with(match.value);
    }
    return false;
  });
}

}  // namespace

bool matches(const MatchPolicy& match, const http::RequestHead& request) noexcept {
  if (!match.hosts.empty()) {
    const std::string_view host = http::without_port(request.authority);
    const auto fits = [host](const std::string& pattern) { return host_matches(pattern, host); };
    if (std::none_of(match.hosts.begin(), match.hosts.end(), fits)) return false;
  }
  return path_matches(match.path, request.path()) && matches_besides_place(match, request);
}

bool matches_besides_place(const MatchPolicy& match, const http::RequestHead& request) noexcept {
  if (!match.methods.empty() &&
      std::find(match.methods.begin(), match.methods.end(), request.method_token) == match.methods.end()) {
    return false;
  }
  return std::all_of(match.headers.begin(), match.headers.end(),
                     [&](const HeaderMatch& header) { return header_matches(header, request.fields); });
}

}  // namespace tidegate::route
