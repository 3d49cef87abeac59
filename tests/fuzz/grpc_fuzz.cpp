// gRPC's fields from arbitrary bytes: what is a call, how it ended and how long its client waits are what an independent reading
// says; a call is a success only where a status says 0; what other fields say, and in which letters names come, is of no account.
//
// An input is two field sections, "name: value" a line, with an empty line between: those of the head and the trailers.
#include <algorithm>
#include <optional>

#include "http/grpc.h"
#include "input.h"

namespace tidegate::fuzz {
namespace {

using namespace http;

/// A field section in memory of exactly its size.
struct Section {
  explicit Section(std::string_view from) : memory(from.begin(), from.end()) {
    const std::string_view text(memory.data(), memory.size());
    list.set_base(memory.data());
    for (std::size_t at = 0; at < text.size();) {
      const std::size_t end = std::min(text.find('\n', at), text.size());
      const std::size_t colon = std::min(text.find(": ", at), end);
      if (colon + 2 <= end && colon - at <= 0xFFFF) {
        Field field;
        field.name_at = static_cast<std::uint32_t>(at);
        field.name_size = static_cast<std::uint16_t>(colon - at);
        field.value_at = static_cast<std::uint32_t>(colon + 2);
        field.value_size = static_cast<std::uint32_t>(end - colon - 2);
        if (!list.add(field)) break;
      }
      at = end + 1;
    }
  }
  Section(const Section&) = delete;

  /// Of the first field with that name, nothing when there is none.
  std::optional<std::string> value(std::string_view wanted) const {
    for (const Field& field : list) {
      if (small(list.name(field)) == wanted) return std::string(list.value(field));
    }
    return std::nullopt;
  }
  static std::string small(std::string_view text) {
    std::string out(text);
    for (char& c : out) c = lower(c);
    return out;
  }

  std::vector<char> memory;
  FieldList list;
};

bool all_digits(std::string_view text) { return text.find_first_not_of("0123456789") == std::string_view::npos; }

/// Nothing: nothing is said. Codes that are none are 2, UNKNOWN.
std::optional<unsigned> status_of(const Section& section) {
  const std::string text = section.value("grpc-status").value_or("");
  if (text.empty()) return std::nullopt;
  if (!all_digits(text)) return 2;
  const std::string number = text.substr(std::min(text.find_first_not_of('0'), text.size() - 1));
  return number.size() <= 2 && std::stoul(number) <= 16 ? static_cast<unsigned>(std::stoul(number)) : 2;
}

void check_request(const Section& fields, unsigned char choices) {
  RequestHead head;
  head.method = (choices & 1) != 0 ? Method::Get : Method::Post;
  head.major_version = (choices & 2) != 0 ? 1 : 2;
  head.fields = fields.list;
  const std::string type = Section::small(fields.value("content-type").value_or(""));
  const bool expected = choices % 4 == 0 && (type == "application/grpc" || type.starts_with("application/grpc+") ||
                                             type.starts_with("application/grpc;"));
  must(is_grpc(head) == expected, "what is a call");

  const std::optional<Duration> timeout = grpc_timeout(head);
  const std::string text = fields.value("grpc-timeout").value_or("");
  const bool well_formed = text.size() >= 2 && text.size() <= 9 && all_digits(text.substr(0, text.size() - 1)) &&
                           std::string_view("HMSmun").find(text.back()) != std::string_view::npos;
  must(timeout.has_value() == well_formed, "what is a timeout");
  if (!timeout) return;
  must(*timeout >= Duration::zero(), "a timeout in the past");
  must((*timeout == Duration::zero()) == (std::stoul(text) == 0), "a timeout of nothing");
  if (text.back() == 'S') must(*timeout == std::chrono::seconds(std::stoul(text)), "seconds");
}

void check_response(const Section& fields, const Section& trailers, std::uint16_t status) {
  ResponseHead head;
  head.status = status;
  head.fields = fields.list;
  const std::optional<unsigned> in_head = status_of(fields);
  const std::optional<unsigned> in_trailers = status_of(trailers);
  const auto otherwise = static_cast<unsigned>(status == 200 ? GrpcCode::Unknown : grpc_code_of(status));
  must(otherwise != 0 && otherwise < kGrpcCodes, "a success that nobody told");
  must(static_cast<unsigned>(grpc_code(head, nullptr)) == in_head.value_or(otherwise), "the code without trailers");
  must(static_cast<unsigned>(grpc_code(head, &trailers.list)) == in_trailers.value_or(in_head.value_or(otherwise)), "the code");
  must(grpc_status(trailers.list).has_value() == in_trailers.has_value(), "what is a status");
}

}  // namespace
}  // namespace tidegate::fuzz

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  using namespace tidegate::fuzz;
  const Input input(data, size);
  const std::size_t end = std::min(input.bytes.find("\n\n"), input.bytes.size());
  const Section fields(input.bytes.substr(0, end));
  const Section trailers(input.bytes.substr(std::min(end + 2, input.bytes.size())));
  check_request(fields, input.choices);
  for (const std::size_t status : {std::size_t{200}, input.cut % 1000}) {
    check_response(fields, trailers, static_cast<std::uint16_t>(status));
  }
  return 0;
}
