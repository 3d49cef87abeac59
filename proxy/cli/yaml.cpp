#include "cli/yaml.h"

#include <algorithm>
#include <array>
#include <boost/json.hpp>
#include <cstdio>

#include "cli/json_text.h"

namespace tidegate::cli {

namespace json = boost::json;

namespace {

/// Words that YAML 1.1 (most readers) or 1.2 take for null or a boolean, in any case.
bool is_reserved(std::string_view text) {
  static constexpr std::array<std::string_view, 10> kWords{"null", "~",  "true", "false", "yes",
                                                           "no",   "on", "off",  "y",     "n"};
  std::string lower(text);
  for (char& c : lower) c = static_cast<char>(c >= 'A' && c <= 'Z' ? c + 32 : c);
  return std::find(kWords.begin(), kWords.end(), lower) != kWords.end();
}

/// Plain is what can be nothing but a text: it begins with a letter (or / for paths), holds no sign with a meaning and
/// no space at its end. Everything else is quoted, needed or not; so numbers, dates and 1e3 need no rules of their own.
bool is_plain(std::string_view text) {
  if (text.empty() || is_reserved(text)) return false;
  const auto letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); };
  if (!letter(text.front()) && text.front() != '/') return false;
  if (text.back() == ' ' || text.back() == ':') return false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (letter(c) || (c >= '0' && c <= '9') || std::string_view("_-./ ()+=%;").find(c) != std::string_view::npos)
      continue;
    const bool colon_inside = c == ':' && text[i + 1] != ' ';  // not the last, see above
    const bool comma = c == ',';                               // we write no flow style
    if (!colon_inside && !comma) return false;
  }
  return true;
}

void append_escaped(std::string& out, char c) {
  switch (c) {
    case '"':
      out += "\\\"";
      return;
    case '\\':
      out += "\\\\";
      return;
    case '\n':
      out += "\\n";
      return;
    case '\t':
      out += "\\t";
      return;
    case '\r':
      out += "\\r";
      return;
    default:
      break;
  }
  if (static_cast<unsigned char>(c) >= 0x20 && c != 0x7f) {
    out += c;
    return;
  }
  char code[8];
  std::snprintf(code, sizeof code, "\\x%02X", static_cast<unsigned>(static_cast<unsigned char>(c)));
  out += code;
}

void append_block(std::string& out, const json::value& value, std::size_t indent);

std::string_view as_view(json::string_view text) { return {text.data(), text.size()}; }

/// What fits behind "key:" or "-" on the same line.
bool append_inline(std::string& out, const json::value& value) {
  if (const auto* text = value.if_string()) {
    out += ' ' + yaml_scalar(as_view(*text));
  } else if (const auto* object = value.if_object()) {
    if (!object->empty()) return false;
    out += " {}";
  } else if (const auto* array = value.if_array()) {
    if (!array->empty()) return false;
    out += " []";
  } else {
    out += ' ' + plain_text(value);
  }
  out += '\n';
  return true;
}

void append_object(std::string& out, const json::object& object, std::size_t indent, bool first_is_placed) {
  for (const auto& member : object) {
    if (!first_is_placed) out.append(indent, ' ');
    first_is_placed = false;
    out += yaml_scalar(as_view(member.key())) + ':';
    if (append_inline(out, member.value())) continue;
    out += '\n';
    append_block(out, member.value(), indent + 2);
  }
}

void append_array(std::string& out, const json::array& array, std::size_t indent) {
  for (const json::value& item : array) {
    out.append(indent, ' ');
    out += '-';
    if (append_inline(out, item)) continue;
    if (const auto* object = item.if_object()) {
      out += ' ';
      append_object(out, *object, indent + 2, true);
    } else {
      out += '\n';
      append_block(out, item, indent + 2);
    }
  }
}

void append_block(std::string& out, const json::value& value, std::size_t indent) {
  if (const auto* object = value.if_object()) append_object(out, *object, indent, false);
  if (const auto* array = value.if_array()) append_array(out, *array, indent);
}

}  // namespace

std::string yaml_scalar(std::string_view text) {
  if (is_plain(text)) return std::string(text);
  std::string out = "\"";
  for (const char c : text) append_escaped(out, c);
  return out + '"';
}

std::string to_yaml(const json::value& value) {
  std::string out;
  if (append_inline(out, value)) return out.substr(1);
  append_block(out, value, 0);
  return out;
}

}  // namespace tidegate::cli
