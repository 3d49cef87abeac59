// One question from its first request to its answer: the steps one after the other, further attempts at once where no
// answer came, and the first step that does not pass decides. Kept alive by its client until it has answered or the
// client was stopped; used on the client's thread only.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "check/question.h"
#include "outbound/client.h"

namespace tidegate::check {

class Inquiry : public std::enable_shared_from_this<Inquiry> {
 public:
  using Done = std::function<void(Answer)>;

  Inquiry(outbound::Client& client, Question question, Done done);

  /// `done` is called once, perhaps inside; never after the client was stopped.
  void start();

 private:
  void ask();
  void on_result(const outbound::Result& result);
  void finish(Answer answer);

  outbound::Client& client_;
  const Question question_;
  const Done done_;
  std::vector<Step> steps_;
  std::size_t at_ = 0;
  std::uint32_t attempt_ = 1;
};

}  // namespace tidegate::check
