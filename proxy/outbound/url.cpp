#include "outbound/url.h"

#include <algorithm>
#include <boost/throw_exception.hpp>
#include <boost/url/parse.hpp>
#include <boost/url/url_view.hpp>
#include <charconv>
#include <stdexcept>

#include "outbound/limits.h"

namespace tidegate::outbound {

namespace urls = boost::urls;

namespace {

bool is_unreserved(char c) noexcept {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '.' ||
         c == '_' || c == '~';
}

/// A host goes into a Host field, into messages and to the resolver: letters, digits, "-", ".", "_" and nothing encoded.
bool is_name(std::string_view host) noexcept {
  return !host.empty() && host.size() <= 253 &&
         std::all_of(host.begin(), host.end(), [](char c) { return is_unreserved(c) && c != '~'; });
}

std::string bracketed(const std::string& host) {
  return host.find(':') == std::string::npos ? host : '[' + host + ']';
}

}  // namespace

void throw_exception_from_error(const UrlProblem& problem, const boost::source_location& where) {
  boost::throw_exception(std::runtime_error(problem.message), where);
}

std::string_view Url::path() const noexcept { return std::string_view(target).substr(0, target.find('?')); }

std::string_view Url::query() const noexcept {
  const auto mark = target.find('?');
  return mark == std::string::npos ? std::string_view() : std::string_view(target).substr(mark + 1);
}

std::string Url::authority() const { return port == (https ? 443 : 80) ? bracketed(host) : endpoint(); }

std::string Url::endpoint() const { return bracketed(host) + ':' + std::to_string(port); }

std::string Url::origin() const { return (https ? "https://" : "http://") + authority(); }

boost::system::result<Url, UrlProblem> parse_url(std::string_view text) {
  if (text.size() > kUrlBytes) return UrlProblem{"longer than " + std::to_string(kUrlBytes) + " bytes"};
  const auto url = urls::parse_uri({text.data(), text.size()});
  if (!url || !url->has_authority()) return UrlProblem{"not a URL like https://host.example.com/path"};
  if (url->scheme_id() != urls::scheme::http && url->scheme_id() != urls::scheme::https)
    return UrlProblem{"only http:// and https:// are spoken"};
  if (url->has_userinfo()) return UrlProblem{"no user name and password in a URL: give an Authorization header"};
  if (url->has_fragment()) return UrlProblem{"a fragment (#...) is never sent: leave it out"};
  Url out;
  out.https = url->scheme_id() == urls::scheme::https;
  out.host = url->host_type() == urls::host_type::ipv6 ? std::string(url->host_ipv6_address().to_string())
                                                       : std::string(url->encoded_host());
  if (url->host_type() != urls::host_type::ipv6 && !is_name(out.host)) return UrlProblem{"names no host"};
  out.port = out.https ? 443 : 80;
  if (url->has_port() && !url->port().empty()) {
    const std::string port(url->port());
    const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), out.port);
    if (error != std::errc() || end != port.data() + port.size() || out.port == 0)
      return UrlProblem{"the port must be 1 to 65535"};
  }
  out.target = std::string(url->encoded_target());
  if (out.target.empty() || out.target.front() != '/') out.target.insert(0, 1, '/');
  return out;
}

std::string encode_query_value(std::string_view value) {
  static constexpr std::string_view kHex = "0123456789ABCDEF";
  std::string out;
  out.reserve(value.size());
  for (const char c : value) {
    if (is_unreserved(c)) {
      out += c;
    } else {
      const auto byte = static_cast<unsigned char>(c);
      out += '%';
      out += kHex[byte >> 4];
      out += kHex[byte & 15];
    }
  }
  return out;
}

}  // namespace tidegate::outbound
