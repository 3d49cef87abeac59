// Request heads from arbitrary bytes: the answer does not depend on how they arrive, and what is accepted and written
// anew for a cluster is read back as the same request, with one Host, one framing and nothing hop-by-hop.
#include "forward/rewrite.h"
#include "input.h"

namespace tidegate::fuzz {
namespace {

using namespace http;

RequestHeadDecoder fresh(const HeadLimits& limits) {
  RequestHeadDecoder decoder(limits);
  decoder.reset();
  return decoder;
}

void check_field(const RequestHead& sent, const Field& field) {
  const std::string_view value = sent.fields.value(field);
  switch (field.id) {
    case FieldId::Te: must(value == "trailers", "TE other than trailers"); break;
    case FieldId::Connection: must(value == "te", "Connection other than te"); break;
    case FieldId::TransferEncoding: must(value == "chunked", "coding"); break;
    case FieldId::KeepAlive:
    case FieldId::ProxyConnection:
    case FieldId::Upgrade: must(false, "a hop-by-hop field travelled on"); break;
    default: break;
  }
}

void check_encoded(const RequestHead& head, unsigned char choices) {
  forward::RequestContext context;
  context.peer = "192.0.2.1";
  context.request_id = "id";
  context.peer_trusted = (choices & 1) != 0;
  context.is_mirror_copy = (choices & 2) != 0;
  if ((choices & 4) != 0) context.traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
  BlockPool pool;
  Buffer out(pool);
  forward::encode_request(out, head, context);
  const HeadLimits wide{1 << 24, FieldList::kMost, 1 << 24};
  RequestHeadDecoder decoder = fresh(wide);
  RequestHead sent;
  must(decoder.feed(out.view(), sent) == HeadState::Done, "what was written is not read back");
  must(decoder.consumed() == out.size(), "what was written is two messages");
  must(sent.method_token == head.method_token, "method");
  must(sent.target == head.target, "target");
  must(sent.authority == head.authority, "authority");
  must(sent.framing == head.framing && sent.content_length == head.content_length, "framing");
  must(sent.minor_version == 1 && sent.keep_alive, "version");
  must(sent.fields.count(FieldId::Host) == 1, "one Host");
  must(sent.fields.count(FieldId::ContentLength) + sent.fields.count(FieldId::TransferEncoding) <= 1, "one framing");
  must(sent.fields.count(FieldId::XForwardedFor) == 1, "one X-Forwarded-For");
  must(sent.fields.count(FieldId::XRequestId) == 1, "one X-Request-Id");
  must(sent.fields.count(FieldId::Tidegate) == (context.is_mirror_copy ? 2u : 1u), "x-tidegate-hop, and x-tidegate-mirror of a copy");
  must(sent.fields.count(FieldId::Alias) == 0, "an alias of a name that Tidegate owns");
  for (const Field& field : sent.fields) check_field(sent, field);
}

}  // namespace
}  // namespace tidegate::fuzz

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  using namespace tidegate::fuzz;
  using namespace tidegate::http;
  const Input input(data, size);
  const HeadLimits limits{4'096, 64, 1'024};
  std::vector<char> memory, other;
  RequestHead head, again;
  RequestHeadDecoder whole = fresh(limits), cut = fresh(limits), slow = fresh(limits);
  const std::string answer = feed(whole, head, input.bytes, {}, memory);
  must_equal(answer, feed(cut, again, input.bytes, {input.cut}, other), "cut in two");
  if (input.bytes.size() <= kByteByByte) {
    must_equal(answer, feed(slow, again, input.bytes, every_byte(input.bytes.size()), other), "byte by byte");
  }
  const bool accepted = answer != "more" && !whole.refusal();
  if (accepted && !head.authority.empty()) check_encoded(head, input.choices);
  return 0;
}
