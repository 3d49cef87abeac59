#include "check/http_answer.h"

#include <algorithm>

#include "check/quote.h"

namespace tidegate::check {

using gate::Verdict;
using Kind = outbound::Error::Kind;

namespace {

constexpr std::size_t kPathBytes = 100;
constexpr std::size_t kContainsBytes = 80;

std::string say_expected(const HttpRequest& request) {
  if (request.expect.empty()) return "2xx";
  std::string out;
  for (const unsigned status : request.expect) out += (out.empty() ? "" : " or ") + std::to_string(status);
  return out;
}

bool is_expected(const HttpRequest& request, unsigned status) {
  if (request.expect.empty()) return outbound::is_success(status);
  return std::find(request.expect.begin(), request.expect.end(), status) != request.expect.end();
}

}  // namespace

Answer http_answer(const HttpRequest& request, const std::string& endpoint, const outbound::Result& result) {
  const std::string what =
      request.method + ' ' + quote(std::string_view(request.path).substr(0, request.path.find('?')), kPathBytes);
  const std::string asked = endpoint + ' ';
  const unsigned status = result ? result->status : result.error().status;
  if (status == 0) {
    // A name that cannot be resolved here says nothing of the side: the workers use its last good addresses. Nor does what is missing here.
    const Kind kind = result.error().kind;
    const Verdict verdict = kind == Kind::Setup     ? Verdict::Error
                            : kind == Kind::Resolve ? Verdict::Inconclusive
                            : kind == Kind::Local   ? Verdict::Inconclusive
                                                    : Verdict::Fail;
    return {verdict, what + ": " + result.error().message};
  }
  const std::string answered = what + ": " + asked + outbound::say_status(status);
  if (!is_expected(request, status)) return {Verdict::Fail, answered + ", not " + say_expected(request)};
  if (request.contains.empty()) return {Verdict::Pass, answered};
  const std::string wanted = '"' + quote(request.contains, kContainsBytes) + '"';
  if (!result)
    return {Verdict::Error, answered + ", but " + wanted + " can't be looked for: " + result.error().message};
  if (result->body.find(request.contains) == std::string::npos)
    return {Verdict::Fail, answered + ", but without " + wanted};
  return {Verdict::Pass, answered + " with " + wanted};
}

}  // namespace tidegate::check
