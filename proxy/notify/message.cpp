#include "notify/message.h"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <utility>

#include "base/utc_text.h"

namespace tidegate::notify {

namespace json = boost::json;

namespace {

/// Slack's own words for its green, yellow and red.
std::string_view color(Event event) noexcept {
  switch (event) {
    case Event::Started:
    case Event::Step:
    case Event::Resumed:
    case Event::Completed:
    case Event::Rearmed: return "good";
    case Event::Paused:
    case Event::Held:
    case Event::Aborted: return "warning";
    case Event::Reverted: break;
  }
  return "danger";
}

std::string weights(const Message& message) {
  if (message.from.empty()) return message.to;
  if (message.to.empty()) return message.from;
  return message.from + " -> " + message.to;
}

void add_field(json::array& fields, std::string_view title, const std::string& value) {
  if (value.empty()) return;
  json::object field;
  field["title"] = title;
  field["value"] = escape_slack(value);
  field["short"] = true;
  fields.push_back(std::move(field));
}

}  // namespace

std::string escape_slack(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (const char c : text) {
    switch (c) {
      case '&': out += "&amp;"; break;
      case '<': out += "&lt;"; break;
      case '>': out += "&gt;"; break;
      default: out += c;
    }
  }
  return out;
}

std::string json_body(const Message& message) {
  json::object out;
  out["event"] = name(message.event);
  out["route"] = message.route;
  out["sentence"] = message.sentence;
  out["actor"] = message.actor;
  out["epoch"] = message.epoch;
  out["at"] = utc_text(message.at_ms);
  out["from"] = message.from;
  out["to"] = message.to;
  return json::serialize(out);
}

std::string slack_body(const Message& message) {
  const std::string title = "Tidegate: route " + message.route + ' ' + std::string(name(message.event));
  json::array fields;
  add_field(fields, "Weight of new", weights(message));
  add_field(fields, "By", message.actor);
  add_field(fields, "Epoch", std::to_string(message.epoch));
  json::object attachment;
  attachment["color"] = color(message.event);
  attachment["fallback"] = escape_slack(title + ": " + message.sentence);
  attachment["text"] = escape_slack(message.sentence);
  attachment["fields"] = std::move(fields);
  attachment["ts"] = message.at_ms / 1000;
  json::object out;
  out["text"] = escape_slack(title);
  out["attachments"] = json::array{std::move(attachment)};
  return json::serialize(out);
}

std::string body(const Message& message, Format format) {
  return format == Format::Slack ? slack_body(message) : json_body(message);
}

}  // namespace tidegate::notify
