#include "admin/target.h"

#include <boost/url/encode.hpp>
#include <boost/url/parse.hpp>
#include <boost/url/rfc/pchars.hpp>
#include <boost/url/rfc/unreserved_chars.hpp>
#include <boost/url/url_view.hpp>

namespace tidegate::admin {

namespace urls = boost::urls;

std::optional<Target> Target::parse(const std::string& target) {
  const auto url = urls::parse_origin_form(target);
  if (!url) return std::nullopt;
  Target out;
  for (const auto& segment : url->segments()) out.segments.emplace_back(segment);
  for (const auto& parameter : url->params()) out.query.emplace_back(parameter.key, parameter.value);
  return out;
}

bool Target::fits(std::string_view pattern, std::string& wildcard) const {
  for (const std::string& segment : segments) {
    if (!pattern.starts_with('/')) return false;
    pattern.remove_prefix(1);
    const std::string_view expected = pattern.substr(0, pattern.find('/'));
    if (expected == "*" ? segment.empty() : segment != expected) return false;
    if (expected == "*") wildcard = segment;
    pattern.remove_prefix(expected.size());
  }
  return pattern.empty();
}

std::string encoded_segment(std::string_view text) {
  return urls::encode(urls::string_view(text.data(), text.size()), urls::unreserved_chars);
}

}  // namespace tidegate::admin
