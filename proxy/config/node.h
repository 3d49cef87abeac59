// The YAML document as a plain tree with positions: what stands between the YAML library and everything else. It has no
// anchors, tags or numbers: a scalar is its text, and the section that reads it decides what the text means (so `0777`,
// `yes` and `1e3` are nobody's octal, boolean or float by accident).
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "config/problem.h"

namespace tidegate::config {

struct Entry;

struct Node {
  enum class Kind {
    Null,      ///< nothing, `~` or `null`
    Scalar,
    Sequence,
    Map,
    Broken,    ///< was reported already; readers pass over it in silence
  };

  Kind kind = Kind::Null;
  Position at;
  std::string text;            ///< Scalar
  std::vector<Node> items;     ///< Sequence
  std::vector<Entry> entries;  ///< Map, in the order of the file

  /// The value of a key; null when this is no mapping or has no such key.
  const Entry* find(std::string_view key) const noexcept;
};

struct Entry {
  Node key;
  Node value;
};

inline const Entry* Node::find(std::string_view key) const noexcept {
  for (const Entry& entry : entries) {
    if (entry.key.text == key) return &entry;
  }
  return nullptr;
}

}  // namespace tidegate::config
