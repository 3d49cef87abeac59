// How the server of a TLS connection is trusted: a context of OpenSSL from the policy's files. One is made for each
// connection, so that certificates that were replaced are used from the next question on (who asks every few seconds does
// not notice the cost). The system's authorities are read once. TLS 1.2 and 1.3; the server's name is verified where the
// connection is made.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "outbound/policy.h"

namespace boost::asio::ssl {
class context;
}  // namespace boost::asio::ssl

namespace tidegate::outbound {

/// What is wrong with the policy's files, naming the file; for config/, before anything is asked.
std::optional<std::string> problem_of(const TlsPolicy& policy);

/// @return null and why, naming the file.
std::pair<std::unique_ptr<boost::asio::ssl::context>, std::string> make_context(const TlsPolicy& policy);

}  // namespace tidegate::outbound
