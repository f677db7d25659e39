#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <stdexcept>
#include <string>
#include <string_view>

#include "kandinsky.hpp"
#include "serve/http_server.h"

/// Answers as JSON, and JSON as requests bring it.
namespace kandinsky::serve {

/// A request that gets another status than 200.
class RequestError : public std::runtime_error {
 public:
  /// field: the request's that is wrong; empty: none.
  RequestError(int status, const std::string& message, std::string field = {})
      : std::runtime_error(message), status_(status), field_(std::move(field)) {}
  int status() const { return status_; }
  const std::string& field() const { return field_; }

 private:
  int status_;
  std::string field_;
};

inline constexpr int kUnprocessable = 422;
inline constexpr int kUnavailable = 503;

/// The HTTP status for a failure of the library's.
int http_status(kandinsky_status status);

void reply_json(Exchange& exchange, const nlohmann::ordered_json& json, int status = 200,
                const Headers& headers = {});

/// {"detail": ..., "error": {...}}: the first for clients of web UIs, the second for OpenAI's.
void reply_error(Exchange& exchange, const RequestError& error, const Headers& headers = {});

/// The body as an object. Throws RequestError, also for one that is nested deeper or has more
/// values than any request needs, before they take memory.
nlohmann::ordered_json parse_object(const std::string& body);

}  // namespace kandinsky::serve
