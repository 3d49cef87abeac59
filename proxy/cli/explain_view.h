// The answer of GET /api/v1/history/ID as people read it: who, when, why, the counts and the evidence before and after, and
// whether the replay gives the same answer. Fits 80 columns. Pure but for the time zone.
#pragma once

#include <boost/json/value.hpp>
#include <string>

#include "cli/terminal.h"

namespace tidegate::cli {

std::string explain_view(const boost::json::value& decision, const ViewStyle& style);

}  // namespace tidegate::cli
