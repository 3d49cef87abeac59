// A client's HTTP/2 connection, with a GET, a HEAD and an upload on their way, from arbitrary bytes of an upstream.
#include "h2_input.h"

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  using namespace tidegate::fuzz;
  using namespace tidegate::http;
  const Input input(data, size);
  check_every_way(input, [&] {
    auto owner = std::make_unique<Owner>(H2Role::Client, small_limits(input.choices), input.choices);
    owner->request("GET", true);
    owner->request("HEAD", true);
    owner->request("POST", false);
    (void)owner->produce();
    return owner;
  });
  return 0;
}
