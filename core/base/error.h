#pragma once

#include <stdexcept>
#include <string_view>

/// The one exception type thrown by our own code. It crosses between object files that were
/// compiled with different std::string layouts, so it holds only a code and the standard library's
/// message.
namespace kandinsky {

/// Few codes: what a caller can react to, not where it happened.
enum class ErrorCode : int {
  kInvalidArgument = 1,  ///< A value outside the documented range.
  kNotFound = 2,         ///< A file, folder, component, key or tensor is missing.
  kCorruptFile = 3,      ///< A file contradicts its own format or another file beside it.
  kUnsupported = 4,      ///< Well-formed, but not supported.
  kOutOfMemory = 5,      ///< Host or device memory ran out.
  kCancelled = 6,        ///< The job was stopped on request.
  kBusy = 7,             ///< The engine is running another job.
  kIncompatible = 8,     ///< Two parts do not fit together, such as library and torch versions.
  kInternal = 9,         ///< A broken invariant: a bug of ours.
  kIo = 10,              ///< The system cannot read or write a file: full disk, no permission, ...
};

/// A short lower-case name such as "invalid argument"; "unknown" for a value outside the enum.
const char* error_code_name(ErrorCode code) noexcept;

/// The message is UTF-8 text for the user: what was wrong, the actual and the expected value. Only
/// paths may contain other bytes. It is truncated to limits::kMaxMessageBytes.
class Error : public std::runtime_error {
 public:
  Error(ErrorCode code, std::string_view message);

  ErrorCode code() const noexcept { return code_; }

 private:
  ErrorCode code_;
};

}  // namespace kandinsky
