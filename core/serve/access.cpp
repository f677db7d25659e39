#include "serve/access.h"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>

#include "jobs/base64.h"
#include "jobs/files.h"
#include "jobs/text.h"
#include "kandinsky.hpp"

namespace kandinsky::serve {
namespace {

constexpr int kUnauthorized = 401;
constexpr int kForbidden = 403;

/// Compares in constant time.
bool same_secret(std::string_view given, std::string_view key) {
  unsigned difference = given.size() == key.size() ? 0 : 1;
  for (std::size_t i = 0; i < given.size(); ++i)
    difference |= static_cast<unsigned char>(given[i] ^ key[i % key.size()]);
  return difference == 0;
}

/// The key in "Authorization": a bearer token, or the password of Basic.
std::string given_key(const std::string& authorization) {
  const std::size_t blank = std::min(authorization.find(' '), authorization.size());
  const std::string_view scheme = std::string_view(authorization).substr(0, blank);
  const std::string_view rest = jobs::stripped(
      std::string_view(authorization).substr(std::min(blank + 1, authorization.size())));
  if (jobs::same_word(scheme, "bearer")) return std::string(rest);
  if (!jobs::same_word(scheme, "basic")) return {};
  try {
    const std::vector<std::uint8_t> bytes = jobs::decode_base64(rest);
    const std::string pair(bytes.begin(), bytes.end());
    return pair.substr(std::min(pair.find(':') + 1, pair.size()));
  } catch (const StatusError&) {
    return {};
  }
}

/// "localhost" of "localhost:7861", "::1" of "[::1]:7861".
std::string_view host_of(std::string_view authority) {
  if (authority.starts_with('[')) return authority.substr(1, authority.find(']') - 1);
  return authority.substr(0, authority.find(':'));
}

}  // namespace

std::optional<Access::Refusal> Access::refuse(const Exchange& exchange, bool is_open) const {
  const std::string host = exchange.header("Host");
  // A page of another site can make a browser send requests here, but the browser marks them.
  const std::string origin = exchange.header("Origin");
  const std::size_t slashes = origin.find("://");
  const bool is_own = slashes != std::string::npos &&
                      jobs::same_word(origin.substr(slashes + 3), host) &&
                      (!is_https || jobs::same_word(origin.substr(0, slashes), "https"));
  if (!origin.empty() && !is_own) {
    return Refusal{kForbidden, "requests of other sites' pages are not answered", {}};
  }
  if (key.empty()) {
    // Against DNS rebinding: another site's name that resolves to this machine.
    if (host.empty() || is_loopback(host_of(host))) return {};
    return Refusal{kForbidden, "without a key the server answers to localhost only", {}};
  }
  if (is_open || same_secret(given_key(exchange.header("Authorization")), key)) return {};
  return Refusal{kUnauthorized,
                 "the key is missing or wrong: \"Authorization: Bearer KEY\", or the key as the "
                 "password of Basic",
                 {{"WWW-Authenticate", "Basic realm=\"kandinsky\", charset=\"UTF-8\""}}};
}

std::string read_key_file(const std::string& path) {
  constexpr std::uint64_t kMostBytes = 4096;
  constexpr std::size_t kLeast = 16;
  const std::string text = jobs::read_file(path, kMostBytes);
  const std::string key(jobs::stripped(std::string_view(text).substr(0, text.find('\n'))));
  const bool is_printable = std::ranges::all_of(key, [](char c) { return c > ' ' && c < '\x7f'; });
  if (key.size() < kLeast || !is_printable) {
    throw StatusError(KANDINSKY_INVALID_ARGUMENT,
                      fmt::format("--api-key-file {}: its first line must be a key of {} or more "
                                  "letters, digits and punctuation without spaces",
                                  path, kLeast));
  }
  return key;
}

}  // namespace kandinsky::serve
