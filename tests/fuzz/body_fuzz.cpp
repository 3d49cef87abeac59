// Chunked bodies from arbitrary bytes: the answer does not depend on how they arrive; what is accepted and written anew
// is read back as the same data, with no trailer that was not there.
#include "http/h1_body.h"
#include "http/h1_encode.h"
#include "input.h"

namespace tidegate::fuzz {
namespace {

using namespace http;

struct Read {
  std::string answer;  ///< "end /taken", "refused: why", "more"
  std::string data;
  std::string trailers;
};

Read read(std::string_view bytes, const std::vector<std::size_t>& sizes, BodyDecoder& decoder) {
  decoder.start(Framing::Chunked, 0);
  Read out;
  std::size_t taken = 0;
  for (std::size_t i = 0; i <= sizes.size(); ++i) {
    const std::size_t end = i < sizes.size() ? sizes[i] : bytes.size();
    const std::vector<char> part(bytes.begin() + static_cast<std::ptrdiff_t>(taken), bytes.begin() + static_cast<std::ptrdiff_t>(end));
    std::size_t at = 0;
    for (;;) {
      const BodyStep step = decoder.next({part.data() + at, part.size() - at});
      at += step.consumed;
      must(at <= part.size(), "more taken than given");
      out.data += step.data;
      if (step.event == BodyEvent::Refused) {
        out.answer = "refused: " + std::string(decoder.refusal());
        return out;
      }
      if (step.event == BodyEvent::End) {
        out.answer = "end /" + std::to_string(taken + at);
        if (decoder.trailers() != nullptr) out.trailers = test::describe(*decoder.trailers());
        return out;
      }
      if (step.event == BodyEvent::NeedMore) break;
      must(step.consumed > 0, "data without progress");
    }
    must(at == part.size(), "NeedMore without taking everything");
    taken = end;
  }
  out.answer = "more";
  return out;
}

void same(const Read& a, const Read& b, const char* what) {
  must_equal(a.answer, b.answer, what);
  must_equal(a.data, b.data, what);
  must_equal(a.trailers, b.trailers, what);
}

std::string lowered(std::string_view name) {
  std::string out(name);
  for (char& c : out) c = lower(c);
  return out;
}

void check_encoded(const Read& original, const BodyDecoder& decoder) {
  BlockPool pool;
  Buffer out(pool);
  if (!original.data.empty()) {
    out.append(ChunkHeader(original.data.size()).text());
    out.append(original.data);
    out.append(kCrlf);
  }
  encode_last_chunk(out, decoder.trailers());
  BodyDecoder second;
  const Read copy = read(out.view(), {}, second);
  must_equal(copy.answer, "end /" + std::to_string(out.size()), "what was written is not read back");
  must_equal(copy.data, original.data, "data");
  if (second.trailers() == nullptr) return;
  for (const Field& field : *second.trailers()) {
    must(may_be_trailer(second.trailers()->name(field), field.id), "a trailer that may not travel");
    const std::string line = " [" + lowered(second.trailers()->name(field)) + "=";
    must(original.trailers.find(line) != std::string::npos, "a trailer out of nowhere");
  }
}

}  // namespace
}  // namespace tidegate::fuzz

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  using namespace tidegate::fuzz;
  const Input input(data, size);
  tidegate::http::BodyDecoder whole, other;
  const Read answer = read(input.bytes, {}, whole);
  same(answer, read(input.bytes, {input.cut}, other), "cut in two");
  if (input.bytes.size() <= kByteByByte) same(answer, read(input.bytes, every_byte(input.bytes.size()), other), "byte by byte");
  if (answer.answer.starts_with("end")) check_encoded(answer, whole);
  return 0;
}
