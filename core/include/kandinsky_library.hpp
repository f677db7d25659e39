/// Part of kandinsky.hpp: functions that need no engine: lists, image files, folders.
#ifndef KANDINSKY_LIBRARY_HPP_
#define KANDINSKY_LIBRARY_HPP_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "kandinsky_status.hpp"

namespace kandinsky {

namespace raw {

/// The texts of one of the library's tables.
inline std::vector<std::string> list(size_t count, const char* (*text_of)(size_t)) {
  std::vector<std::string> texts;
  for (size_t i = 0; i < count; ++i) texts.emplace_back(text_of(i));
  return texts;
}

}  // namespace raw

inline std::vector<std::string> sampler_names() {
  return raw::list(kandinsky_sampler_count(), kandinsky_sampler_name);
}

/// A description of each sampler, in the order of sampler_names().
inline std::vector<std::string> sampler_descriptions() {
  return raw::list(kandinsky_sampler_count(), kandinsky_sampler_description);
}

inline std::vector<std::string> scheduler_names() {
  return raw::list(kandinsky_scheduler_count(), kandinsky_scheduler_name);
}

/// A description of each scheduler, in the order of scheduler_names().
inline std::vector<std::string> scheduler_descriptions() {
  return raw::list(kandinsky_scheduler_count(), kandinsky_scheduler_description);
}

inline std::vector<std::string> speedup_names() {
  return raw::list(kandinsky_speedup_count(), kandinsky_speedup_name);
}

/// A description of each speed-up, in the order of speedup_names().
inline std::vector<std::string> speedup_descriptions() {
  return raw::list(kandinsky_speedup_count(), kandinsky_speedup_description);
}

inline std::vector<std::string> family_names() {
  return raw::list(kandinsky_family_count(), kandinsky_family_name);
}

/// Process-wide. See kandinsky_set_num_threads.
inline void set_num_threads(int32_t threads) { check(kandinsky_set_num_threads(threads)); }

/// An image that owns its pixels [height, width, channels]: grey, RGB or RGBA.
struct Image {
  std::vector<uint8_t> pixels;
  int32_t width = 0;
  int32_t height = 0;
  int32_t channels = 3;

  /// Reads a file. See kandinsky_image_load.
  static Image load(const std::string& path) {
    kandinsky_image* loaded = nullptr;
    check(kandinsky_image_load(path.c_str(), &loaded));
    return owned(loaded);
  }

  /// The same from the bytes of a file; `name` is used in messages. See
  /// kandinsky_image_decode.
  static Image decode(const std::vector<uint8_t>& bytes, const std::string& name) {
    kandinsky_image* decoded = nullptr;
    check(kandinsky_image_decode(bytes.data(), bytes.size(), name.c_str(), &decoded));
    return owned(decoded);
  }

  /// Borrows the pixels. Throws StatusError(KANDINSKY_INVALID_ARGUMENT) unless there are
  /// width * height * channels.
  kandinsky_image raw() const {
    if (width < 0 || height < 0 || channels < 0 ||
        pixels.size() != static_cast<size_t>(width) * static_cast<size_t>(height) *
                             static_cast<size_t>(channels)) {
      throw StatusError(KANDINSKY_INVALID_ARGUMENT,
                        "an image's pixels do not fit its width, height and channels");
    }
    return {pixels.data(), width, height, channels};
  }

 private:
  struct Free {
    void operator()(kandinsky_image* image) const { kandinsky_image_free(image); }
  };
  static Image owned(kandinsky_image* loaded) {
    const std::unique_ptr<kandinsky_image, Free> owner(loaded);
    const size_t size = static_cast<size_t>(loaded->width) * static_cast<size_t>(loaded->height) *
                        static_cast<size_t>(loaded->channels);
    return {
        {loaded->pixels, loaded->pixels + size}, loaded->width, loaded->height, loaded->channels};
  }
};

/// Writes RGB pixels [height, width, 3]. See kandinsky_image_save.
inline void save_image(const std::string& path, const uint8_t* pixels, int32_t width,
                       int32_t height, const std::string& parameters = {}) {
  check(kandinsky_image_save(path.c_str(), pixels, width, height,
                             parameters.empty() ? nullptr : parameters.c_str()));
}

/// The bytes of a file in `format`: "png", "jpeg" or "webp". See kandinsky_image_encode.
inline std::vector<uint8_t> encode_image(const std::string& format, const uint8_t* pixels,
                                         int32_t width, int32_t height,
                                         const std::string& parameters = {}) {
  uint8_t* bytes = nullptr;
  size_t size = 0;
  check(kandinsky_image_encode(format.c_str(), pixels, width, height,
                               parameters.empty() ? nullptr : parameters.c_str(), &bytes, &size));
  const std::unique_ptr<uint8_t, decltype(&kandinsky_bytes_free)> owner(bytes,
                                                                        kandinsky_bytes_free);
  return {bytes, bytes + size};
}

/// Throws unless a file can be written there. See kandinsky_check_writable.
inline void check_writable(const std::string& path) {
  check(kandinsky_check_writable(path.c_str()));
}

struct RecognizedFolder {
  std::string family;
  std::string role;
};

/// Recognises a folder by its index alone. See kandinsky_folder_recognize.
inline RecognizedFolder recognize_folder(const std::string& dir) {
  const char* family = nullptr;
  const char* role = nullptr;
  check(kandinsky_folder_recognize(dir.c_str(), &family, &role));
  return {family, role};
}

/// A hash of a folder's weights, 64 digits. See kandinsky_folder_digest.
inline std::string folder_digest(const std::string& dir) {
  char digest[65];
  check(kandinsky_folder_digest(dir.c_str(), digest));
  return digest;
}

/// The contents of a model folder.
class Folder {
 public:
  explicit Folder(const std::string& dir) {
    kandinsky_folder* folder = nullptr;
    check(kandinsky_folder_open(dir.c_str(), &folder));
    folder_.reset(folder);
  }
  std::string pipeline() const { return kandinsky_folder_pipeline(folder_.get()); }
  std::string family() const { return kandinsky_folder_family(folder_.get()); }
  int32_t native_size() const { return kandinsky_folder_native_size(folder_.get()); }
  /// The strings in the result are valid as long as this object.
  std::vector<kandinsky_component_info> components() const {
    std::vector<kandinsky_component_info> all(kandinsky_folder_component_count(folder_.get()));
    for (size_t i = 0; i < all.size(); ++i) {
      kandinsky_component_info_init(&all[i]);
      check(kandinsky_folder_component(folder_.get(), i, &all[i]));
    }
    return all;
  }

 private:
  struct Free {
    void operator()(kandinsky_folder* folder) const { kandinsky_folder_free(folder); }
  };
  std::unique_ptr<kandinsky_folder, Free> folder_;
};

}  // namespace kandinsky

#endif  // KANDINSKY_LIBRARY_HPP_
