#include "http/websocket_handshake.h"

#include <openssl/evp.h>

#include <algorithm>
#include <cstring>

namespace tidegate::http {

namespace {

/// EVP_EncodeBlock() ends what it writes with a zero.
template <std::size_t kBytes, std::size_t kChars>
std::array<char, kChars> base64(const std::array<unsigned char, kBytes>& bytes) noexcept {
  static_assert(kChars == (kBytes + 2) / 3 * 4);
  std::array<unsigned char, kChars + 1> encoded{};
  EVP_EncodeBlock(encoded.data(), bytes.data(), static_cast<int>(kBytes));
  std::array<char, kChars> out{};
  std::copy_n(encoded.begin(), kChars, out.begin());
  return out;
}

}  // namespace

WebSocketKey make_websocket_key(std::uint64_t high, std::uint64_t low) noexcept {
  std::array<unsigned char, 16> bytes{};
  std::memcpy(bytes.data(), &high, 8);
  std::memcpy(bytes.data() + 8, &low, 8);
  return base64<16, 24>(bytes);
}

WebSocketAccept websocket_accept(std::string_view key) noexcept {
  constexpr std::string_view kFixed = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
  std::array<unsigned char, 20> digest{};
  EVP_MD_CTX* const context = EVP_MD_CTX_new();
  if (context != nullptr) {
    EVP_DigestInit_ex(context, EVP_sha1(), nullptr);
    EVP_DigestUpdate(context, key.data(), key.size());
    EVP_DigestUpdate(context, kFixed.data(), kFixed.size());
    EVP_DigestFinal_ex(context, digest.data(), nullptr);
    EVP_MD_CTX_free(context);
  }
  return base64<20, 28>(digest);
}

}  // namespace tidegate::http
