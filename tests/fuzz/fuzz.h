#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <string>
#include <string_view>

#include "base/error.h"
#include "base/limits.h"
#include "base/span.h"
#include "base/utf8.h"

/// What the fuzz targets share. A target is one file with LLVMFuzzerTestOneInput, which gives the
/// bytes to one reader and ends the program by fuzz::require where a promise is broken.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace kandinsky::fuzz {

/// Ends the program unless it holds; what is the promise, in words.
inline void require(bool holds, std::string_view what, std::string_view details = {}) {
  if (holds) return;
  for (const std::string_view text : {std::string_view("broken promise: "), what,
                                      std::string_view(" "), details, std::string_view("\n")}) {
    std::fwrite(text.data(), 1, text.size(), stderr);
  }
  std::abort();
}

/// What every error's words promise.
inline void require_message(std::string_view words) {
  require(!words.empty() && words.size() <= limits::kMaxMessageBytes,
          "an error has words, and not too many");
  require(find_invalid_utf8(words) == std::string_view::npos, "a message is UTF-8:", words);
}

/// Runs a reader. True: it took the input. False: it refused it by an Error that has words for
/// people and is no bug of ours. Ends the program for anything else.
template <typename Reader>
bool accepts(const Reader& reader) {
  try {
    reader();
    return true;
  } catch (const Error& error) {
    const std::string_view words = error.what();
    require(error.code() != ErrorCode::kInternal, "no input is a bug of ours:", words);
    require(error.code() != ErrorCode::kBusy && error.code() != ErrorCode::kCancelled &&
                error.code() != ErrorCode::kOutOfMemory,
            "the code fits an input:", words);
    require_message(words);
    return false;
  } catch (const std::exception& error) {
    require(false, "only our own errors come out:", error.what());
  }
  return false;
}

inline Span<const std::byte> bytes_of(const std::uint8_t* data, std::size_t size) {
  return {reinterpret_cast<const std::byte*>(data), size};
}

/// Takes an input apart: numbers from its front, the rest as text or bytes. An input that is too
/// short gives zeros.
class Input {
 public:
  Input(const std::uint8_t* data, std::size_t size)
      : rest_(reinterpret_cast<const char*>(data), size) {}

  std::uint8_t byte() {
    if (rest_.empty()) return 0;
    const auto value = static_cast<std::uint8_t>(rest_.front());
    rest_.remove_prefix(1);
    return value;
  }
  /// In [lowest, highest], from two bytes.
  int number(int lowest, int highest) {
    const int value = byte() | byte() << 8;
    return lowest + value % (highest - lowest + 1);
  }
  bool flag() { return (byte() & 1U) != 0; }

  std::string_view rest() const { return rest_; }

  /// What lies before the next separator, which is taken as well; all of the rest where there is
  /// none.
  std::string_view part(std::string_view separator = "\n====\n") {
    const std::size_t end = rest_.find(separator);
    const std::string_view part = rest_.substr(0, end);
    rest_.remove_prefix(end == std::string_view::npos ? rest_.size() : end + separator.size());
    return part;
  }

 private:
  std::string_view rest_;
};

}  // namespace kandinsky::fuzz
