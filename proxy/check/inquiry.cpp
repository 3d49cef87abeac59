#include "check/inquiry.h"

#include <utility>

namespace tidegate::check {

Inquiry::Inquiry(outbound::Client& client, Question question, Done done)
    : client_(client), question_(std::move(question)), done_(std::move(done)) {}

void Inquiry::start() {
  Steps steps = steps_of(question_);
  if (steps.error) return finish(std::move(*steps.error));
  steps_ = std::move(steps.steps);
  ask();
}

void Inquiry::ask() {
  client_.ask(steps_[at_].request,
              [self = shared_from_this()](const outbound::Result& result) { self->on_result(result); });
}

void Inquiry::on_result(const outbound::Result& result) {
  const bool no_answer = !result && outbound::is_no_answer(result.error().kind);
  if (no_answer && attempt_ <= question_.policy->retries) {
    ++attempt_;
    return ask();
  }
  Answer answer = steps_[at_].judge(result);
  if (no_answer && attempt_ > 1) answer.sentence += " (" + std::to_string(attempt_) + " attempts)";
  if (answer.verdict != gate::Verdict::Pass || steps_.size() == 1) return finish(std::move(answer));
  attempt_ = 1;
  if (++at_ < steps_.size()) return ask();
  finish({gate::Verdict::Pass, "all " + std::to_string(steps_.size()) + " requests to " +
                                   std::to_string(question_.endpoints.size()) +
                                   (question_.endpoints.size() == 1 ? " endpoint" : " endpoints") + " passed"});
}

void Inquiry::finish(Answer answer) { done_(std::move(answer)); }

}  // namespace tidegate::check
