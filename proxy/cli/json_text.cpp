#include "cli/json_text.h"

#include <boost/json.hpp>
#include <charconv>

namespace tidegate::cli {

namespace json = boost::json;

namespace {

std::string number_text(double value) {
  char text[40];
  const auto [end, error] = std::to_chars(text, text + sizeof text, value);
  std::string out(text, end);
  const std::size_t exponent = out.find('e');
  if (exponent != std::string::npos && out.find('.') == std::string::npos) out.insert(exponent, ".0");
  return out;
}

void append(std::string& out, const json::value& value, std::size_t indent) {
  const auto line = [&out](std::size_t by) { out += '\n' + std::string(by, ' '); };
  const char* separator = "";
  if (const auto* object = value.if_object(); object != nullptr && !object->empty()) {
    out += '{';
    for (const auto& member : *object) {
      out += separator;
      separator = ",";
      line(indent + 2);
      out += json::serialize(member.key()) + ": ";
      append(out, member.value(), indent + 2);
    }
    line(indent);
    out += '}';
  } else if (const auto* array = value.if_array(); array != nullptr && !array->empty()) {
    out += '[';
    for (const json::value& item : *array) {
      out += separator;
      separator = ",";
      line(indent + 2);
      append(out, item, indent + 2);
    }
    line(indent);
    out += ']';
  } else {
    out += value.is_double() ? number_text(value.get_double()) : json::serialize(value);
  }
}

}  // namespace

std::string pretty_json(const json::value& value) {
  std::string out;
  append(out, value, 0);
  return out + '\n';
}

std::string plain_text(const json::value& value) {
  if (value.is_double()) return number_text(value.get_double());
  if (const auto* text = value.if_string()) return std::string(*text);
  return json::serialize(value);
}

const json::value& at(const json::value& value, std::initializer_list<std::string_view> path) {
  static const json::value kNull;
  const json::value* here = &value;
  for (const std::string_view name : path) {
    const json::object* object = here->if_object();
    here = object == nullptr ? nullptr : object->if_contains(json::string_view(name.data(), name.size()));
    if (here == nullptr) return kNull;
  }
  return *here;
}

std::string text_at(const json::value& value, std::initializer_list<std::string_view> path) {
  const json::value& found = at(value, path);
  return found.is_string() ? plain_text(found) : std::string();
}

bool true_at(const json::value& value, std::initializer_list<std::string_view> path) {
  const json::value& found = at(value, path);
  return found.is_bool() && found.get_bool();
}

double number_at(const json::value& value, std::initializer_list<std::string_view> path) {
  const json::value& found = at(value, path);
  return found.is_number() ? found.to_number<double>() : 0.0;
}

}  // namespace tidegate::cli
