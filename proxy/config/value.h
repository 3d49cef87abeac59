// A node together with its path and the place to report to: what a section reads from. Lives on the stack of the
// section functions and points to its parent there, so that a path is only spelled out when there is something to say.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "config/node.h"
#include "config/path.h"
#include "config/problem.h"

namespace tidegate::config {

class Value {
 public:
  Value(const Node& root, Problems& problems) : node_(&root), problems_(&problems) {}

  const Node& node() const noexcept { return *node_; }
  Value child(const Entry& entry) const { return {entry.value, Step(entry.key.text), *this}; }
  Value item(std::size_t i) const { return {node_->items[i], Step(i), *this}; }
  bool has(std::string_view key) const noexcept { return node_->find(key) != nullptr; }

  std::string path() const;
  void fail(std::string message) const { problems_->error(node_->at, path(), std::move(message)); }
  void warn(std::string message) const { problems_->warning(node_->at, path(), std::move(message)); }
  /// About a key of this mapping rather than about its value.
  void fail_key(const Entry& entry, std::string message) const;

  /// The text of a scalar; anything else is a problem ("expects a duration"), but for what was reported before.
  std::optional<std::string_view> text(std::string_view expected) const;
  /// True for a mapping (a list); anything else is a problem.
  bool is_map() const { return is(Node::Kind::Map, "keys"); }
  bool is_list() const;  ///< an empty list is a problem, too

 private:
  Value(const Node& node, Step step, const Value& parent)
      : node_(&node), problems_(parent.problems_), parent_(&parent), step_(step) {}

  bool is(Node::Kind kind, std::string_view expected) const;

  const Node* node_;
  Problems* problems_;
  const Value* parent_ = nullptr;
  Step step_{""};
};

}  // namespace tidegate::config
