// Response heads from arbitrary bytes: the answer does not depend on how they arrive, and what is accepted and written
// anew for a client is read back as the same response with the same framing.
#include "forward/rewrite.h"
#include "input.h"

namespace tidegate::fuzz {
namespace {

using namespace http;

ResponseHeadDecoder fresh(Method asked, const HeadLimits& limits) {
  ResponseHeadDecoder decoder(limits);
  decoder.reset(asked);
  return decoder;
}

void check_encoded(const ResponseHead& head, Method asked) {
  BlockPool pool;
  Buffer out(pool);
  if (head.status < 200) {
    forward::encode_informational(out, head);
  } else {
    forward::encode_response(out, head, {.chunked = head.framing == Framing::Chunked, .close = !head.keep_alive});
  }
  const HeadLimits wide{1 << 24, FieldList::kMost, 0};
  ResponseHeadDecoder decoder = fresh(asked, wide);
  ResponseHead sent;
  must(decoder.feed(out.view(), sent) == HeadState::Done, "what was written is not read back");
  must(decoder.consumed() == out.size(), "what was written is two messages");
  must(sent.status == head.status && sent.reason == head.reason, "status line");
  must(sent.framing == head.framing, "framing");
  must(sent.framing != Framing::Length || sent.content_length == head.content_length, "length");
  must(sent.status < 200 || sent.keep_alive == head.keep_alive, "keep-alive");
  must(sent.fields.count(FieldId::ContentLength) + sent.fields.count(FieldId::TransferEncoding) <= 1, "one framing");
  must((sent.status >= 200 && sent.status != 204) || sent.fields.count(FieldId::ContentLength) == 0, "length of no content");
}

}  // namespace
}  // namespace tidegate::fuzz

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  using namespace tidegate::fuzz;
  using namespace tidegate::http;
  const Input input(data, size);
  const HeadLimits limits{4'096, 64, 0};
  const Method asked = (input.choices & 1) != 0 ? Method::Head : Method::Get;
  std::vector<char> memory, other;
  ResponseHead head, again;
  ResponseHeadDecoder whole = fresh(asked, limits), cut = fresh(asked, limits), slow = fresh(asked, limits);
  const std::string answer = feed(whole, head, input.bytes, {}, memory);
  must_equal(answer, feed(cut, again, input.bytes, {input.cut}, other), "cut in two");
  if (input.bytes.size() <= kByteByByte) {
    must_equal(answer, feed(slow, again, input.bytes, every_byte(input.bytes.size()), other), "byte by byte");
  }
  if (answer != "more" && !whole.refusal()) check_encoded(head, asked);
  return 0;
}
