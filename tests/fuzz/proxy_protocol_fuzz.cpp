// PROXY headers from arbitrary bytes: the answer does not depend on how they arrive, nothing behind the header is taken for
// it, and what was understood is written anew and read back as the same.
#include "input.h"
#include "net/proxy_headers.h"

namespace tidegate::fuzz {
namespace {

using net::ProxyDecoded;
using net::ProxyState;

/// Decodes the first `size` bytes, in memory of exactly that size.
ProxyDecoded decode(std::string_view bytes, std::size_t size) {
  const std::vector<char> exact(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(size));
  return net::decode_proxy_header({exact.data(), exact.size()});
}

void check_prefix(std::string_view bytes, const ProxyDecoded& whole, std::size_t size) {
  const ProxyDecoded part = decode(bytes, size);
  if (part.state == ProxyState::NeedMore) {
    must(size < net::kMostProxyBytes, "it asks for more than its bound");
    must(whole.state != ProxyState::Done || size < whole.consumed, "it asks for more than the header");
    return;
  }
  must(part.state == whole.state, "more bytes changed the answer");
  if (part.state == ProxyState::Refused) return;
  must(size >= whole.consumed, "it is done before its last byte");
  must_equal(net::test::describe(part), net::test::describe(whole), "more bytes changed the header");
}

std::string ends_of(const net::ProxyHeader& header) { return text(header.ends.source) + ' ' + text(header.ends.destination); }

void check_encoded(const ProxyDecoded& original) {
  for (const auto version : {net::ProxyVersion::V1, net::ProxyVersion::V2}) {
    const std::string written = net::encode_proxy_header(version, &original.header.ends);
    must(written.size() <= net::kMostProxyBytes, "a long header");
    const ProxyDecoded read = decode(written, written.size());
    must(read.state == ProxyState::Done && read.consumed == written.size(), "what was written is not read back");
    if (read.header.origin == net::ProxyHeader::Origin::Client) {
      must_equal(ends_of(read.header), ends_of(original.header), "other ends");
    } else {
      must(version == net::ProxyVersion::V1 && net::is_unix(original.header.ends.source), "ends that were lost");
    }
  }
}

}  // namespace
}  // namespace tidegate::fuzz

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  using namespace tidegate::fuzz;
  const Input input(data, size);
  const ProxyDecoded whole = decode(input.bytes, input.bytes.size());
  must(whole.state != ProxyState::Done || (whole.consumed > 0 && whole.consumed <= input.bytes.size()), "bytes out of nowhere");
  must((whole.state == ProxyState::Refused) == !whole.reason.empty(), "a refusal has a reason");
  check_prefix(input.bytes, whole, input.cut);
  if (input.bytes.size() <= kByteByByte) {
    for (std::size_t at = 0; at <= input.bytes.size(); ++at) check_prefix(input.bytes, whole, at);
  }
  if (whole.state == ProxyState::Done && whole.header.origin == tidegate::net::ProxyHeader::Origin::Client) check_encoded(whole);
  return 0;
}
