#include "config/parse.h"

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/mark.h>
#include <yaml-cpp/parser.h>

#include <algorithm>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "config/limits.h"
#include "config/text_check.h"

namespace tidegate::config {
namespace {

Position position_of(const YAML::Mark& mark) {
  if (mark.is_null()) return {};
  return {mark.line + 1, mark.column + 1};
}

/// The parser's messages may quote a byte of the file as it is, be it a control or a part of a character.
std::string printable(std::string message) {
  const auto strange = [](char c) { return c < ' ' || c > '~'; };  // signed or not, neither holds for ASCII text
  std::replace_if(message.begin(), message.end(), strange, '?');
  return message;
}

/// "[${HOST}]": the parser stops at the brace, which it takes for its own, and complains of an end that it does not find.
bool is_brace_of_variable(std::string_view text, Position at) {
  for (; at.line > 1; --at.line) {
    const std::size_t end = text.find('\n');
    if (end == std::string_view::npos) return false;
    text.remove_prefix(end + 1);
  }
  const std::string_view line = text.substr(0, text.find('\n'));
  const auto column = static_cast<std::size_t>(at.column);
  return column >= 2 && column <= line.size() && line.substr(column - 2, 2) == "${";
}

/// A bound was reached or a second document began: the parser has no other way to be stopped.
struct Stop {
  Position at;
  std::string message;
};

/// Builds the tree from the parser's events. Depth is checked when a collection opens, which is before the parser
/// recurses into it: its own guard is ten times deeper.
class Builder final : public YAML::EventHandler {
 public:
  explicit Builder(Problems& problems) : problems_(problems) {}

  std::optional<Node> take_root() { return std::move(root_); }

  void OnDocumentStart(const YAML::Mark& mark) override {
    if (++documents_ > 1) throw Stop{position_of(mark), "a second document; a configuration is one"};
  }
  void OnDocumentEnd() override {}

  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    refuse_extras(mark, "?", anchor);
    attach(make(Node::Kind::Null, mark));
  }

  void OnAlias(const YAML::Mark& mark, YAML::anchor_t) override {
    problems_.error(position_of(mark), "", "aliases (*name) are not supported; write the value out");
    attach(make(Node::Kind::Broken, mark));
  }

  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& value) override {
    refuse_extras(mark, tag, anchor);
    Node node = make(Node::Kind::Scalar, mark);
    if (value.size() > kScalarBytes) throw Stop{node.at, "a value longer than " + std::to_string(kScalarBytes) + "B"};
    node.text = value;
    attach(std::move(node));
  }

  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value) override {
    refuse_extras(mark, tag, anchor);
    open(make(Node::Kind::Sequence, mark));
  }
  void OnSequenceEnd() override { close(); }

  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value) override {
    refuse_extras(mark, tag, anchor);
    open(make(Node::Kind::Map, mark));
  }
  void OnMapEnd() override { close(); }

 private:
  struct Frame {
    Node node;
    std::optional<Node> key;  ///< of a mapping: read, its value not yet
  };

  Node make(Node::Kind kind, const YAML::Mark& mark) {
    Node node;
    node.kind = kind;
    node.at = position_of(mark);
    if (++nodes_ > kNodes) throw Stop{node.at, "more than " + std::to_string(kNodes) + " values"};
    return node;
  }

  void refuse_extras(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor) {
    if (anchor != YAML::NullAnchor) {
      problems_.error(position_of(mark), "", "anchors (&name) are not supported; write the value out where it is used");
    }
    const bool made_by_parser = tag.empty() || tag == "?" || tag == "!";
    if (!made_by_parser) problems_.error(position_of(mark), "", "tags (" + in_quotes(tag) + ") are not supported");
  }

  void open(Node node) {
    if (open_.size() == kDepth) throw Stop{node.at, "nested deeper than " + std::to_string(kDepth) + " levels"};
    open_.push_back({std::move(node), std::nullopt});
  }

  void close() {
    Node done = std::move(open_.back().node);
    open_.pop_back();
    attach(std::move(done));
  }

  void attach(Node node) {
    if (open_.empty()) {
      root_ = std::move(node);
      return;
    }
    Frame& parent = open_.back();
    if (parent.node.kind == Node::Kind::Sequence) {
      parent.node.items.push_back(std::move(node));
    } else if (!parent.key) {
      if (node.text.size() > kKeyBytes) throw Stop{node.at, "a key longer than " + std::to_string(kKeyBytes) + "B"};
      parent.key = std::move(node);
    } else {
      if (node.kind == Node::Kind::Null) node.at = parent.key->at;  // "nothing" has no place of its own
      parent.node.entries.push_back({std::move(*parent.key), std::move(node)});
      parent.key.reset();
    }
  }

  Problems& problems_;
  std::vector<Frame> open_;
  std::optional<Node> root_;
  std::size_t nodes_ = 0;
  int documents_ = 0;
};

}  // namespace

std::optional<Node> parse(std::string_view text, Problems& problems) {
  if (!check_text(text, problems)) return std::nullopt;
  Builder builder(problems);
  try {
    std::istringstream in{std::string(text)};
    YAML::Parser parser(in);
    while (parser.HandleNextDocument(builder)) continue;  // the builder stops at a second one
  } catch (const Stop& stop) {
    problems.error(stop.at, "", stop.message);
    return std::nullopt;
  } catch (const YAML::Exception& syntax) {
    const Position at = position_of(syntax.mark);
    const bool variable = is_brace_of_variable(text, at);
    problems.error(at, "", variable ? "YAML syntax: a value with ${...} inside of [...] or {...} has to be in quotes, as \"${NAME}\": "
                                      "its braces would be read as YAML's"
                                    : "YAML syntax: " + printable(syntax.msg));
    return std::nullopt;
  }
  std::optional<Node> root = builder.take_root();
  if (root && root->kind != Node::Kind::Null) return root;
  problems.error({1, 1}, "", "the file is empty");
  return std::nullopt;
}

}  // namespace tidegate::config
