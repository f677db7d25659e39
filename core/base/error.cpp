#include "base/error.h"

#include <string>

namespace kandinsky {

const char* error_code_name(ErrorCode code) noexcept {
  switch (code) {
    case ErrorCode::kInvalidArgument:
      return "invalid argument";
    case ErrorCode::kNotFound:
      return "not found";
    case ErrorCode::kCorruptFile:
      return "corrupt file";
    case ErrorCode::kUnsupported:
      return "unsupported";
    case ErrorCode::kOutOfMemory:
      return "out of memory";
    case ErrorCode::kCancelled:
      return "cancelled";
    case ErrorCode::kBusy:
      return "busy";
    case ErrorCode::kIncompatible:
      return "incompatible";
    case ErrorCode::kInternal:
      return "internal error";
    case ErrorCode::kIo:
      return "io error";
  }
  return "unknown";
}

Error::Error(ErrorCode code, std::string_view message)
    : std::runtime_error(std::string(message)), code_(code) {}

}  // namespace kandinsky
