// A server's HTTP/2 connection from arbitrary bytes behind the client's preface: events in order, each stream closed once, heads
// by the grammar, and the same whatever the cuts.
#include "h2_input.h"

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  using namespace tidegate::fuzz;
  using namespace tidegate::http;
  Input input(data, size);
  const std::string bytes = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + std::string(input.bytes);
  input.bytes = bytes;
  check_every_way(input, [&] {
    return std::make_unique<Owner>(H2Role::Server, small_limits(input.choices), input.choices);
  });
  return 0;
}
