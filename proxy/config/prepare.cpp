#include "config/prepare.h"

#include <map>
#include <string>
#include <utility>

#include "config/limits.h"
#include "config/path.h"

namespace tidegate::config {
namespace {

class Walk {
 public:
  Walk(const Environment& environment, Problems& problems) : environment_(environment), problems_(problems) {}

  /// Recursion is bounded by kDepth, which the parser enforced.
  void visit(Node& node, const std::string& path) {
    if (node.kind == Node::Kind::Scalar) expand_scalar(node, path);
    for (std::size_t i = 0; i < node.items.size(); ++i) {
      std::string inner = path;
      append(inner, i);
      visit(node.items[i], inner);
    }
    if (node.kind == Node::Kind::Map) visit_entries(node, path);
  }

 private:
  void visit_entries(Node& node, const std::string& path) {
    std::map<std::string, int> seen;  // key -> line
    std::vector<Entry> kept;
    kept.reserve(node.entries.size());
    for (Entry& entry : node.entries) {
      if (entry.key.kind != Node::Kind::Scalar) {
        if (entry.key.kind != Node::Kind::Broken) problems_.error(entry.key.at, path, "a key must be a text");
        continue;
      }
      std::string inner = path;
      append(inner, entry.key.text);
      const auto [first, is_new] = seen.emplace(entry.key.text, entry.key.at.line);
      if (!is_new) {
        problems_.error(entry.key.at, inner, "duplicate key; the first is in line " + std::to_string(first->second));
        continue;
      }
      visit(entry.value, inner);
      kept.push_back(std::move(entry));
    }
    node.entries = std::move(kept);
  }

  void expand_scalar(Node& node, const std::string& path) {
    if (node.text.find("${") == std::string::npos) return;
    Expanded expanded = expand(node.text, environment_);
    added_ += expanded.text.size();
    if (added_ > kExpandedBytes) expanded.errors.emplace_back("the environment variables of this file hold too much text");
    for (std::string& error : expanded.errors) problems_.error(node.at, path, std::move(error));
    if (!expanded.errors.empty()) node.kind = Node::Kind::Broken;
    node.text = expanded.errors.empty() ? std::move(expanded.text) : std::string();
  }

  const Environment& environment_;
  Problems& problems_;
  std::size_t added_ = 0;
};

}  // namespace

void prepare(Node& root, const Environment& environment, Problems& problems) {
  Walk(environment, problems).visit(root, "");
}

}  // namespace tidegate::config
