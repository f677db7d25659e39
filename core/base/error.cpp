#include "base/error.h"

#include <cstddef>
#include <stdexcept>
#include <string>
#include <string_view>

#include "base/limits.h"

namespace kandinsky {
namespace {

std::string cut(std::string_view message) {
  constexpr std::string_view kMark = "...";
  if (message.size() <= limits::kMaxMessageBytes) return std::string(message);
  std::size_t end = limits::kMaxMessageBytes - kMark.size();
  while (end > 0 && (static_cast<unsigned char>(message[end]) & 0xC0U) == 0x80U) --end;
  return std::string(message.substr(0, end)).append(kMark);
}

}  // namespace

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
    : std::runtime_error(cut(message)), code_(code) {}

}  // namespace kandinsky
