#include "http/field.h"

#include "http/grammar.h"
#include "http/limits.h"

namespace tidegate::http {

namespace {

/// With `_` read as `-`, as servers do that make one variable of both (RFC 3875 §4.1.18).
bool begins_as(std::string_view name, std::string_view known) noexcept {
  if (name.size() < known.size()) return false;
  for (std::size_t i = 0; i < known.size(); ++i) {
    if (lower(name[i]) != known[i] && !(name[i] == '_' && known[i] == '-')) return false;
  }
  return true;
}

FieldId identify_known(std::string_view name) noexcept {
  const auto is = [name](std::string_view known) { return equals_ignoring_case(name, known); };
  switch (name.size()) {
    case 2: return is("te") ? FieldId::Te : FieldId::Other;
    case 4: return is("host") ? FieldId::Host : is("date") ? FieldId::Date : FieldId::Other;
    case 6: return is("expect") ? FieldId::Expect : FieldId::Other;
    case 7: return is("trailer") ? FieldId::Trailer : is("upgrade") ? FieldId::Upgrade : FieldId::Other;
    case 9: return is("forwarded") ? FieldId::Forwarded : FieldId::Other;
    case 10:
      return is("connection")   ? FieldId::Connection
             : is("user-agent") ? FieldId::UserAgent
             : is("keep-alive") ? FieldId::KeepAlive
             : is("tracestate") ? FieldId::Tracestate
                                : FieldId::Other;
    case 11: return is("traceparent") ? FieldId::Traceparent : FieldId::Other;
    case 12: return is("x-request-id") ? FieldId::XRequestId : FieldId::Other;
    case 14:
      return is("content-length")                ? FieldId::ContentLength
             : begins_as(name, "content-length") ? FieldId::Alias
                                                 : FieldId::Other;
    case 15: return is("x-forwarded-for") ? FieldId::XForwardedFor : FieldId::Other;
    case 16:
      return is("x-forwarded-host")   ? FieldId::XForwardedHost
             : is("proxy-connection") ? FieldId::ProxyConnection
                                      : FieldId::Other;
    case 17:
      return is("transfer-encoding")                ? FieldId::TransferEncoding
             : is("x-forwarded-proto")              ? FieldId::XForwardedProto
             : begins_as(name, "transfer-encoding") ? FieldId::Alias
                                                    : FieldId::Other;
    default: return FieldId::Other;
  }
}

}  // namespace

FieldId identify(std::string_view name) noexcept {
  const FieldId known = identify_known(name);
  if (known != FieldId::Other || name.size() < 9 || lower(name[0]) != 'x' || (name[1] != '-' && name[1] != '_')) return known;
  const bool tidegate = name.size() > 11 && begins_as(name, "x-tidegate-");
  const bool forwarded = (name.size() > 12 && begins_as(name, "x-forwarded-")) || (name.size() == 9 && begins_as(name, "x-real-ip"));
  const bool request_id = name.size() == 12 && begins_as(name, "x-request-id");  // or it was known
  if (!tidegate && !forwarded && !request_id) return FieldId::Other;
  if (name.find('_') != std::string_view::npos) return FieldId::Alias;
  return tidegate ? FieldId::Tidegate : FieldId::XForwarded;
}

std::string_view FieldList::first(FieldId id) const noexcept {
  if (!has(id)) return {};
  for (const Field& field : *this) {
    if (field.id == id) return value(field);
  }
  return {};
}

std::size_t FieldList::count(FieldId id) const noexcept {
  std::size_t found = 0;
  for (const Field& field : *this) found += field.id == id ? 1 : 0;
  return found;
}

std::string_view FieldList::sole(std::string_view wanted) const noexcept {
  std::string_view found;
  for (const Field& field : *this) {
    if (!equals_ignoring_case(name(field), wanted)) continue;
    if (found.data() != nullptr) return {};
    found = value(field);
  }
  return found;
}

namespace {

bool is_hop_by_hop(FieldId id) noexcept {
  switch (id) {
    case FieldId::Connection:
    case FieldId::KeepAlive:
    case FieldId::ProxyConnection:
    case FieldId::Te:
    case FieldId::TransferEncoding:
    case FieldId::Upgrade: return true;
    default: return false;
  }
}

bool has_hop_by_hop(const FieldList& fields) noexcept {
  return fields.has(FieldId::Connection) || fields.has(FieldId::KeepAlive) || fields.has(FieldId::ProxyConnection) ||
         fields.has(FieldId::Te) || fields.has(FieldId::TransferEncoding) || fields.has(FieldId::Upgrade);
}

bool may_be_nominated(FieldId id) noexcept { return id != FieldId::Host && id != FieldId::ContentLength; }

}  // namespace

bool mark_hop_by_hop(FieldList& fields) noexcept {
  int options = 0;
  if (!has_hop_by_hop(fields)) return true;
  for (Field& field : fields) {
    if (is_hop_by_hop(field.id)) field.hop_by_hop = true;
    if (field.id != FieldId::Connection) continue;
    for_each_element(fields.value(field), [&](std::string_view nominated) {
      if (++options > kConnectionOptions) return false;
      if (equals_ignoring_case(nominated, "close") || equals_ignoring_case(nominated, "keep-alive")) return true;
      for (Field& other : fields) {
        if (other.name_size != nominated.size() || !may_be_nominated(other.id)) continue;
        const std::string_view name = fields.name(other);
        bool same = true;
        for (std::size_t i = 0; same && i < name.size(); ++i) same = lower(name[i]) == lower(nominated[i]);
        if (same) other.hop_by_hop = true;
      }
      return true;
    });
  }
  return options <= kConnectionOptions;
}

bool look_for_underscores(FieldList& fields, Underscores wanted) noexcept {
  const auto has_one = [&fields](const Field& field) { return fields.name(field).find('_') != std::string_view::npos; };
  if (wanted == Underscores::Reject) return std::none_of(fields.begin(), fields.end(), has_one);
  fields.drop_if(has_one);
  return true;
}

}  // namespace tidegate::http
