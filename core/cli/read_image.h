#pragma once

#include <functional>
#include <string>
#include <utility>

#include "kandinsky.hpp"

namespace kandinsky::cli {

/// Reads a command's images: from files, from named pipes, and from standard input, "-", which
/// can be read once.
class ImageReader {
 public:
  /// check: throws to end the reading; called while waiting for a pipe.
  explicit ImageReader(std::function<void()> check) : check_(std::move(check)) {}

  /// option: its name in messages, such as "--image". Throws StatusError as kandinsky_image_load
  /// does, and KANDINSKY_INVALID_ARGUMENT for standard input that is a terminal or was read before.
  Image read(const std::string& option, const std::string& path);

 private:
  std::function<void()> check_;
  bool has_read_standard_input_ = false;
};

}  // namespace kandinsky::cli
