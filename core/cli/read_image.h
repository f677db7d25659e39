#pragma once

#include <functional>
#include <string>

#include "kandinsky.hpp"

namespace kandinsky::cli {

/// Reads a command's images: from files, from pipes by their names, and from standard input, which
/// is "-" and can be read once.
class ImageReader {
 public:
  /// check: throws when reading shall end; asked while a pipe keeps the reader waiting.
  explicit ImageReader(std::function<void()> check) : check_(std::move(check)) {}

  /// option: what messages call it, such as "--image". Throws StatusError as kandinsky_image_load
  /// does, and KANDINSKY_INVALID_ARGUMENT for standard input that is a terminal or was read before.
  Image read(const std::string& option, const std::string& path);

 private:
  std::function<void()> check_;
  bool has_read_standard_input_ = false;
};

}  // namespace kandinsky::cli
