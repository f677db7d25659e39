#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <stdexcept>
#include <string>
#include <string_view>

#include "kandinsky.hpp"
#include "serve/http_server.h"

/// JSON replies and request bodies.
namespace kandinsky::serve {

/// A request that gets a status other than 200.
class RequestError : public std::runtime_error {
 public:
  /// message: may quote any bytes of the request; what() is one line of UTF-8. field: the invalid
  /// field of the request; empty: none.
  RequestError(int status, std::string_view message, std::string field = {});
  int status() const { return status_; }
  const std::string& field() const { return field_; }

 private:
  int status_;
  std::string field_;
};

inline constexpr int kUnprocessable = 422;
inline constexpr int kUnavailable = 503;

/// The HTTP status for an error of the library.
int http_status(kandinsky_status status);

void reply_json(Exchange& exchange, const nlohmann::ordered_json& json, int status = 200,
                const Headers& headers = {});

/// {"detail": ..., "error": {...}}: the first for clients of web UIs, the second for OpenAI's.
void reply_error(Exchange& exchange, const RequestError& error, const Headers& headers = {});

/// The body as an object. Throws RequestError, also for one with deeper nesting or more
/// values than any request needs, before allocating them.
nlohmann::ordered_json parse_object(const std::string& body);

}  // namespace kandinsky::serve
