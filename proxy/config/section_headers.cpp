#include <algorithm>
#include <array>

#include "config/read.h"
#include "config/section.h"
#include "config/sections.h"
#include "config/text_rules.h"

namespace tidegate::config {
namespace {

using route::HeaderEdits;

/// Fields that frame the message or belong to one hop (RFC 9110 §7.6.1, RFC 9112 §6): the codec writes them anew, an
/// edit here could only make a message that the cluster reads differently.
constexpr std::array<std::string_view, 9> kFraming{"content-length", "transfer-encoding", "connection",
                                                   "te",             "upgrade",           "keep-alive",
                                                   "trailer",        "proxy-connection",  "host"};

/// Why a field of this name cannot be edited; empty when it can.
std::string edit_error(const std::string& name) {
  if (!is_token(name)) return in_quotes(name) + " is not the name of a header";
  if (name == "host") return "host cannot be edited here; clusters.NAME.host sets it";
  if (std::find(kFraming.begin(), kFraming.end(), name) != kFraming.end()) {
    return in_quotes(name) + " belongs to the connection, not to the request, and cannot be edited";
  }
  if (name.starts_with("x-tidegate-")) return "x-tidegate-* headers are Tidegate's own and cannot be edited";
  return {};
}

bool is_set(const HeaderEdits& edits, const std::string& name) {
  return std::any_of(edits.set.begin(), edits.set.end(), [&](const auto& field) { return lower(field.first) == name; });
}

bool is_removed(const HeaderEdits& edits, const std::string& name) {
  return std::find(edits.remove.begin(), edits.remove.end(), name) != edits.remove.end();
}

/// Values may hold secrets from the environment: messages never show them.
void read_set_value(const Value& value, std::string& out) {
  const auto text = value.text("a text; \"\" is an empty one");
  if (!text) return;
  if (text->find_first_of(std::string_view("\r\n\0", 3)) != std::string_view::npos) {
    return value.fail("a header's value cannot hold CR, LF or NUL");
  }
  if (!is_field_value(*text)) return value.fail("a header's value cannot hold controls or have blanks at its ends");
  out = *text;
}

void read_set(const Value& value, HeaderEdits& out) {
  if (!value.is_map()) return;
  if (value.node().entries.empty()) value.fail("no header is given");
  for (const Entry& entry : value.node().entries) {
    const std::string name = lower(entry.key.text);
    std::string error = edit_error(name);
    if (error.empty() && is_set(out, name)) error = "set twice; the case of a header's name does not count";
    if (error.empty() && is_removed(out, name)) error = "both set and removed; set replaces what was there";
    if (!error.empty()) value.fail_key(entry, std::move(error));
    read_set_value(value.child(entry), out.set.emplace_back(entry.key.text, "").second);
  }
}

void read_remove(const Value& value, HeaderEdits& out) {
  read_list(value, [&](const Value& item) {
    const auto text = item.text("the name of a header");
    if (!text) return;
    const std::string name = lower(*text);
    std::string error = edit_error(name);
    if (error.empty() && is_set(out, name)) error = "both set and removed; set replaces what was there";
    if (!error.empty()) return item.fail(std::move(error));
    out.remove.push_back(name);
  });
}

constexpr std::array kFields{Field<HeaderEdits>{"set", read_set}, Field<HeaderEdits>{"remove", read_remove}};
constexpr Section<HeaderEdits> kSection{"routes[].request_headers", kFields};

}  // namespace

void read_request_headers(const Value& value, HeaderEdits& out) { read_section(value, kSection, out); }

void append_request_header_keys(KeyList& out) { kSection.append_keys(out); }

}  // namespace tidegate::config
