/// Part of kandinsky.hpp: options, and what is known about them.
#ifndef KANDINSKY_OPTIONS_HPP_
#define KANDINSKY_OPTIONS_HPP_

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <type_traits>
#include <vector>

#include "kandinsky_library.hpp"

namespace kandinsky {

namespace raw {

inline std::vector<const char*> texts(const std::vector<std::string>& from) {
  std::vector<const char*> raw;
  for (const std::string& text : from) raw.push_back(text.c_str());
  return raw;
}
std::vector<const char*> texts(std::vector<std::string>&& from) = delete;

inline std::vector<kandinsky_image> images(const std::vector<Image>& from) {
  std::vector<kandinsky_image> raw;
  for (const Image& image : from) raw.push_back(image.raw());
  return raw;
}

}  // namespace raw

/// What a call is asked for, by name; see kandinsky_options. Throws StatusError.
class Options {
 public:
  explicit Options(const std::string& operation) {
    kandinsky_options* options = nullptr;
    check(kandinsky_options_new(operation.c_str(), &options));
    options_.reset(options);
  }

  /// A flag, an integer or a number, by the value's type.
  template <typename Value, std::enable_if_t<std::is_arithmetic_v<Value>, int> = 0>
  Options& set(const std::string& name, Value value) {
    if constexpr (std::is_same_v<Value, bool>) {
      check(kandinsky_options_set_flag(get(), name.c_str(), value ? 1 : 0));
    } else if constexpr (std::is_integral_v<Value>) {
      check(kandinsky_options_set_integer(get(), name.c_str(), static_cast<int64_t>(value)));
    } else {
      check(kandinsky_options_set_number(get(), name.c_str(), static_cast<double>(value)));
    }
    return *this;
  }
  Options& set(const std::string& name, const char* text) {
    check(kandinsky_options_set_text(get(), name.c_str(), text));
    return *this;
  }
  Options& set(const std::string& name, const std::string& text) { return set(name, text.c_str()); }
  /// An empty list stands for the default, here as below.
  Options& set(const std::string& name, const std::vector<std::string>& texts) {
    const std::vector<const char*> raw = raw::texts(texts);
    check(kandinsky_options_set_texts(get(), name.c_str(), raw.data(), raw.size()));
    return *this;
  }
  Options& set(const std::string& name, const std::vector<uint64_t>& seeds) {
    check(kandinsky_options_set_seeds(get(), name.c_str(), seeds.data(), seeds.size()));
    return *this;
  }
  /// floats: [batch, channels, height, width]. Throws, too, unless there are as many as that.
  Options& set(const std::string& name, const std::vector<float>& floats,
               const std::array<int64_t, 4>& shape) {
    int64_t count = 1;
    for (const int64_t side : shape) count *= side;
    if (static_cast<int64_t>(floats.size()) != count) {
      throw StatusError(KANDINSKY_INVALID_ARGUMENT,
                        name + ": there are " + std::to_string(floats.size()) +
                            " floats, but the shape needs " + std::to_string(count));
    }
    check(kandinsky_options_set_floats(get(), name.c_str(), floats.data(), shape.data()));
    return *this;
  }
  Options& set(const std::string& name, const std::vector<Image>& images) {
    const std::vector<kandinsky_image> raw = raw::images(images);
    return set(name, raw.data(), raw.size());
  }
  /// Of images that somebody else holds.
  Options& set(const std::string& name, const kandinsky_image* images, size_t count) {
    check(kandinsky_options_set_images(get(), name.c_str(), images, count));
    return *this;
  }
  Options& set(const std::string& name, const std::vector<kandinsky_condition>& conditions) {
    check(kandinsky_options_set_conditions(get(), name.c_str(), conditions.data(),
                                           conditions.size()));
    return *this;
  }

  /// An option's value as text; see kandinsky_options_get_text.
  std::string text(const std::string& name) {
    const char* text = nullptr;
    check(kandinsky_options_get_text(get(), name.c_str(), &text));
    return text;
  }

  kandinsky_options* get() { return options_.get(); }
  const kandinsky_options* get() const { return options_.get(); }

 private:
  struct Free {
    void operator()(kandinsky_options* options) const { kandinsky_options_free(options); }
  };
  std::unique_ptr<kandinsky_options, Free> options_;
};

inline std::vector<std::string> operation_names() {
  return raw::list(kandinsky_operation_count(), kandinsky_operation_name);
}

/// The options of an operation. The strings in the result live for ever.
inline std::vector<kandinsky_option_info> option_infos(const std::string& operation) {
  std::vector<kandinsky_option_info> all(kandinsky_option_count(operation.c_str()));
  for (size_t i = 0; i < all.size(); ++i) {
    kandinsky_option_info_init(&all[i]);
    check(kandinsky_option_get_info(operation.c_str(), i, &all[i]));
  }
  return all;
}

}  // namespace kandinsky

#endif  // KANDINSKY_OPTIONS_HPP_
