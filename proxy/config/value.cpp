#include "config/value.h"

#include <utility>

namespace tidegate::config {
namespace {

std::string_view describe(Node::Kind kind) {
  switch (kind) {
    case Node::Kind::Null: return "nothing";
    case Node::Kind::Sequence: return "a list";
    case Node::Kind::Map: return "keys";
    default: return "a single value";
  }
}

}  // namespace

std::string Value::path() const {
  if (parent_ == nullptr) return {};
  std::string out = parent_->path();
  append(out, step_);
  return out;
}

void Value::fail_key(const Entry& entry, std::string message) const {
  std::string inner = path();
  append(inner, entry.key.text);
  problems_->error(entry.key.at, std::move(inner), std::move(message));
}

std::optional<std::string_view> Value::text(std::string_view expected) const {
  if (!is(Node::Kind::Scalar, expected)) return std::nullopt;
  return node_->text;
}

bool Value::is_list() const {
  if (!is(Node::Kind::Sequence, "a list")) return false;
  if (node_->items.empty()) fail("the list is empty");
  return !node_->items.empty();
}

bool Value::is(Node::Kind kind, std::string_view expected) const {
  if (node_->kind == kind) return true;
  if (node_->kind != Node::Kind::Broken) {
    fail("expects " + std::string(expected) + ", got " + std::string(describe(node_->kind)));
  }
  return false;
}

}  // namespace tidegate::config
