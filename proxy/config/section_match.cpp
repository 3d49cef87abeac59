#include <algorithm>
#include <array>

#include "config/read.h"
#include "config/section.h"
#include "config/sections.h"
#include "config/text_rules.h"

namespace tidegate::config {
namespace {

using route::HeaderMatch;
using route::MatchPolicy;
using route::PathMatch;

/// Conditions of which exactly one must be given; a second one is reported where it stands.
template <class Condition>
bool is_first(const Value& value, Condition& out, typename Condition::Kind kind, bool& seen) {
  if (seen) value.fail("only one of the conditions may be given");
  const bool first = !seen;
  seen = true;
  if (first) out.kind = kind;
  return first;
}

void read_hosts(const Value& value, MatchPolicy& out) {
  read_list(value, [&](const Value& item) {
    const auto text = item.text("a host");
    if (!text) return;
    const std::string_view name = text->starts_with("*.") ? text->substr(2) : *text;
    const bool literal = is_ipv4(*text) || (text->starts_with('[') && text->ends_with(']') &&
                                            is_ipv6(text->substr(1, text->size() - 2)));
    if (*text == "*") return item.fail("leave hosts out to match every host");
    if (!literal && (!is_host_name(name) || name.ends_with('.'))) {
      return item.fail(in_quotes(*text) + " is not a host such as api.example.com or *.example.org, without a port");
    }
    out.hosts.push_back(lower(*text));
  });
}

struct PathReading {
  PathMatch& out;
  bool seen = false;
};

void read_path_value(const Value& value, PathReading& path, PathMatch::Kind kind) {
  if (!is_first(value, path.out, kind, path.seen)) return;
  const auto text = value.text("a path");
  if (!text) return;
  const bool clean = std::all_of(text->begin(), text->end(), [](char c) {
    return static_cast<unsigned char>(c) > 0x20 && c != 0x7F && c != '?' && c != '#';
  });
  if (!text->starts_with('/')) return value.fail(in_quotes(*text) + " is not a path: it does not begin with /");
  if (!clean) return value.fail(in_quotes(*text) + " is not a path: blanks, ?, # and controls cannot be in one");
  path.out.value = *text;
}

constexpr std::array kPathFields{
    Field<PathReading>{"exact",
                       [](In v, PathReading& out) { read_path_value(v, out, PathMatch::Kind::Exact); }},
    Field<PathReading>{"prefix",
                       [](In v, PathReading& out) { read_path_value(v, out, PathMatch::Kind::Prefix); }},
};
constexpr Section<PathReading> kPath{"routes[].match.path", kPathFields};

void read_path(const Value& value, MatchPolicy& out) {
  PathReading path{out.path};
  const bool empty = value.node().kind == Node::Kind::Map && value.node().entries.empty();
  if (empty) return value.fail("expects exact or prefix");
  read_section(value, kPath, path);
}

struct HeaderReading {
  HeaderMatch& out;
  bool seen = false;
};

void read_header_value(const Value& value, HeaderReading& header, HeaderMatch::Kind kind) {
  if (!is_first(value, header.out, kind, header.seen)) return;
  const auto text = value.text("a value");
  if (!text) return;
  if (!is_field_value(*text)) return value.fail("a header's value cannot hold controls or have blanks at its ends");
  header.out.value = *text;
}

void read_present(const Value& value, HeaderReading& header) {
  bool present = true;
  is_first(value, header.out, HeaderMatch::Kind::Present, header.seen);
  read_bool(value, present);
  if (!present) value.fail("only present: true can be asked for");
}

constexpr std::array kHeaderFields{
    Field<HeaderReading>{"exact",
                         [](In v, HeaderReading& out) { read_header_value(v, out, HeaderMatch::Kind::Exact); }},
    Field<HeaderReading>{"prefix",
                         [](In v, HeaderReading& out) { read_header_value(v, out, HeaderMatch::Kind::Prefix); }},
    Field<HeaderReading>{"present", read_present},
};
constexpr Section<HeaderReading> kHeader{"routes[].match.headers.NAME", kHeaderFields};

void read_headers(const Value& value, MatchPolicy& out) {
  if (!value.is_map()) return;
  for (const Entry& entry : value.node().entries) {
    const std::string name = lower(entry.key.text);
    const bool twice =
        std::any_of(out.headers.begin(), out.headers.end(), [&](const HeaderMatch& h) { return h.name == name; });
    if (!is_token(name)) value.fail_key(entry, in_quotes(entry.key.text) + " is not the name of a header");
    if (twice) value.fail_key(entry, "named twice; the case of a header's name does not count");
    HeaderReading header{out.headers.emplace_back()};
    header.out.name = name;
    const Value condition = value.child(entry);
    if (read_section(condition, kHeader, header) && condition.node().entries.empty()) {
      condition.fail("expects exact, prefix or present");
    }
  }
}

constexpr std::array kFields{
    Field<MatchPolicy>{"hosts", read_hosts},
    Field<MatchPolicy>{"path", read_path},
    Field<MatchPolicy>{"methods", [](In v, MatchPolicy& out) { read_methods(v, out.methods); }},
    Field<MatchPolicy>{"headers", read_headers},
};
constexpr Section<MatchPolicy> kSection{"routes[].match", kFields};

}  // namespace

void read_match(const Value& value, MatchPolicy& out) { read_section(value, kSection, out); }

void append_match_keys(KeyList& out) {
  kSection.append_keys(out);
  kPath.append_keys(out);
  kHeader.append_keys(out);
}

}  // namespace tidegate::config
