#include "engine/c_api_guard.h"

#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/utf8.h"

namespace kandinsky::engine {
namespace {

static_assert(static_cast<int>(ErrorCode::kInvalidArgument) == KANDINSKY_INVALID_ARGUMENT);
static_assert(static_cast<int>(ErrorCode::kNotFound) == KANDINSKY_NOT_FOUND);
static_assert(static_cast<int>(ErrorCode::kCorruptFile) == KANDINSKY_CORRUPT_FILE);
static_assert(static_cast<int>(ErrorCode::kUnsupported) == KANDINSKY_UNSUPPORTED);
static_assert(static_cast<int>(ErrorCode::kOutOfMemory) == KANDINSKY_OUT_OF_MEMORY);
static_assert(static_cast<int>(ErrorCode::kCancelled) == KANDINSKY_CANCELLED);
static_assert(static_cast<int>(ErrorCode::kBusy) == KANDINSKY_BUSY);
static_assert(static_cast<int>(ErrorCode::kIncompatible) == KANDINSKY_INCOMPATIBLE);
static_assert(static_cast<int>(ErrorCode::kInternal) == KANDINSKY_INTERNAL);
static_assert(static_cast<int>(ErrorCode::kIo) == KANDINSKY_IO);

std::string& message_of_this_thread() {
  thread_local std::string text;
  return text;
}

}  // namespace

const char* last_error() noexcept { return message_of_this_thread().c_str(); }

kandinsky_status fail(ErrorCode code, std::string_view message) noexcept {
  try {
    // It may contain names from untrusted files.
    const std::vector<char> quoted = quote_controls(message);
    message_of_this_thread().assign(quoted.begin(), quoted.end());
  } catch (...) {
    message_of_this_thread().clear();
  }
  return static_cast<kandinsky_status>(code);
}

}  // namespace kandinsky::engine
