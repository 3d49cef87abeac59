// What the answer to a smoke request says about the side that gave it. Unlike other checks it asks the side itself, so that
// no answer is an answer: refused, reset and late are failures, as with `curl -f`. Pure; any thread.
#pragma once

#include <string>

#include "check/answer.h"
#include "check/policy.h"
#include "outbound/message.h"

namespace tidegate::check {

/// @param endpoint "HOST:PORT", for the sentence; the query of the path is not in it.
Answer http_answer(const HttpRequest& request, const std::string& endpoint, const outbound::Result& result);

}  // namespace tidegate::check
