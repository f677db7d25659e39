#pragma once

#include <optional>
#include <string>

#include "serve/http_server.h"

namespace kandinsky::serve {

/// Who may ask.
struct Access {
  std::string key;  ///< empty: whoever reaches the server

  struct Refusal {
    int status = 0;
    std::string message;
    Headers headers;
  };

  /// Why the request is refused; nothing: it is not. is_open: for a route that needs no key.
  std::optional<Refusal> refuse(const Exchange& exchange, bool is_open) const;
};

/// The key in a file: its first line. Throws StatusError for one that is too short to be a key.
std::string read_key_file(const std::string& path);

}  // namespace kandinsky::serve
