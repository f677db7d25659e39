#pragma once

#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "base/span.h"

namespace kandinsky::io {

/// A JSON object read as typed values. A key with the value null counts as absent.
/// Getters without a fallback throw Error(kCorruptFile) when the key is absent; all throw it for a
/// value of another type or outside the type's range. The message has the file, the key (dotted for
/// nested objects), the expected and the actual value. Cheap to copy; returned string views stay
/// valid as long as any copy, or any nested object taken from it, lives.
class JsonConfig {
 public:
  /// Throws Error: as InputFile::open; kCorruptFile for a file that is not JSON, not a JSON object,
  /// or over the limits in base/limits.h.
  static JsonConfig load(std::string_view path);

  /// source: the text's name in messages.
  static JsonConfig parse(std::string_view text, std::string_view source);

  std::string_view source() const noexcept;

  bool has(std::string_view key) const;

  /// True when the value is a list (of anything), as opposed to a single number.
  bool is_list(std::string_view key) const;
  bool is_object(std::string_view key) const;

  /// Integers must be written as integers: 5, not 5.0.
  std::int64_t get_int(std::string_view key) const;
  std::int64_t get_int(std::string_view key, std::int64_t fallback) const;

  /// Any finite number.
  double get_double(std::string_view key) const;
  double get_double(std::string_view key, double fallback) const;

  bool get_bool(std::string_view key) const;
  bool get_bool(std::string_view key, bool fallback) const;

  /// The fallback is returned itself: it must outlive the result.
  std::string_view get_string_view(std::string_view key) const;
  std::string_view get_string_view(std::string_view key, std::string_view fallback) const;

  /// A list of integers; a single integer counts as a list of one.
  std::vector<std::int64_t> get_ints(std::string_view key) const;
  std::vector<std::int64_t> get_ints(std::string_view key, Span<const std::int64_t> fallback) const;

  /// A list of numbers; a single number counts as a list of one.
  std::vector<double> get_doubles(std::string_view key) const;
  std::vector<double> get_doubles(std::string_view key, Span<const double> fallback) const;

  /// A list of strings, without its nulls. There is no single-value form.
  std::vector<std::string_view> get_string_views(std::string_view key) const;

  JsonConfig get_object(std::string_view key) const;

  /// All keys whose value is not null, sorted.
  std::vector<std::string_view> keys() const;

 private:
  struct Impl;
  explicit JsonConfig(std::shared_ptr<const Impl> impl);
  std::shared_ptr<const Impl> impl_;
};

}  // namespace kandinsky::io
