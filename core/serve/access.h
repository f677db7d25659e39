#pragma once

#include <optional>
#include <string>

#include "serve/http_server.h"

namespace kandinsky::serve {

/// Access rules.
struct Access {
  std::string key;        ///< empty: none needed
  bool is_https = false;  ///< so that pages of the same address over plain HTTP are other sites'

  struct Refusal {
    int status = 0;
    std::string message;
    Headers headers;
  };

  /// The reason to refuse the request, if any. is_open: for a route that needs no key.
  std::optional<Refusal> refuse(const Exchange& exchange, bool is_open) const;
};

/// The key in a file: its first line. Throws StatusError if it is too short.
std::string read_key_file(const std::string& path);

}  // namespace kandinsky::serve
