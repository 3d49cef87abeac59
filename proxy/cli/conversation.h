// What the verbs that change something share: who asks and why, the question before a bold change, and the sentence
// after it. Main thread.
#pragma once

#include <boost/json/object.hpp>
#include <string>

#include "cli/options.h"
#include "cli/terminal.h"

namespace tidegate::cli {

/// The members "actor" and "reason" of a change.
boost::json::object who_and_why(const Options& options);
/// " (epoch 12)" of an answer.
std::string epoch(const boost::json::value& answer);
/// The answer as data, or `line` and the answer's note.
void say(const boost::json::value& answer, const std::string& line, const Options& options, Terminal& terminal);
/// There is a person who may be asked; scripts never are.
bool asks(const Options& options, const Terminal& terminal);
/// True also where nobody is asked.
bool agreed(const Options& options, Terminal& terminal, const std::string& question);

/// Who asks, for the history: the person behind sudo, else the user.
std::string actor();

}  // namespace tidegate::cli
