#include "config/path.h"

#include "config/text_rules.h"

namespace tidegate::config {

void append(std::string& path, const Step& step) {
  if (step.is_index) {
    path += '[' + std::to_string(step.index) + ']';
    return;
  }
  if (!path.empty()) path += '.';
  path += is_label(step.key) ? std::string(step.key) : in_quotes(step.key);
}

std::string to_string(Path path) {
  std::string out;
  for (const Step& step : path) append(out, step);
  return out;
}

Position locate(const Node& root, Path path) {
  const Node* node = &root;
  Position at = root.at;
  for (const Step& step : path) {
    if (step.is_index) {
      if (step.index >= node->items.size()) break;
      node = &node->items[step.index];
    } else {
      const Entry* entry = node->find(step.key);
      if (entry == nullptr) break;
      node = &entry->value;
    }
    at = node->at;
  }
  return at;
}

}  // namespace tidegate::config
