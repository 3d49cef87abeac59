// YAML text -> Node. The only door to the YAML library, which is not trusted: it walks alias bombs, keeps both of two
// equal keys, recurses as deep as the input says. So: no anchors, aliases or tags, one document, bounds on depth and
// number of nodes that hold while it parses (limits.h). Equal keys stay in the tree here; prepare.h reports them.
#pragma once

#include <optional>
#include <string_view>

#include "config/node.h"
#include "config/problem.h"

namespace tidegate::config {

/// Empty when there is nothing to read sections from: a syntax error, a bound, an empty document. Every cause is in
/// `problems`; anchors, aliases and tags are reported there too but do not end the parsing.
std::optional<Node> parse(std::string_view text, Problems& problems);

}  // namespace tidegate::config
