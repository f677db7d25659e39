#include "nn/config_checks.h"

#include <fmt/format.h>

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/limits.h"
#include "io/json_config.h"

namespace kandinsky::nn {
namespace {

constexpr int64_t kMaxSize = 1'000'000;
constexpr size_t kMaxLevels = 16;

int64_t checked_size(const io::JsonConfig& json, std::string_view key, int64_t value,
                     int64_t most = kMaxSize) {
  if (value >= 1 && value <= most) return value;
  throw Error(ErrorCode::kCorruptFile,
              fmt::format("{}: \"{}\" is {}, expected 1 to {}", json.source(), key, value, most));
}

template <typename T>
void require_equal(const io::JsonConfig& json, std::string_view key, const T& value,
                   const T& expected) {
  if (value == expected) return;
  throw Error(ErrorCode::kUnsupported,
              fmt::format("{}: \"{}\" is {}, but only {} is supported for this network",
                          json.source(), key, value, expected));
}

}  // namespace

int64_t get_size(const io::JsonConfig& json, std::string_view key) {
  return checked_size(json, key, json.get_int(key));
}

int64_t get_size(const io::JsonConfig& json, std::string_view key, int64_t fallback) {
  return checked_size(json, key, json.get_int(key, fallback));
}

int64_t get_layer_count(const io::JsonConfig& json, std::string_view key) {
  return checked_size(json, key, json.get_int(key), limits::kMaxLayers);
}

int64_t get_layer_count(const io::JsonConfig& json, std::string_view key, int64_t fallback) {
  return checked_size(json, key, json.get_int(key, fallback), limits::kMaxLayers);
}

std::vector<int64_t> get_sizes(const io::JsonConfig& json, std::string_view key) {
  std::vector<int64_t> sizes = json.get_ints(key);
  if (sizes.empty() || sizes.size() > kMaxLevels) {
    throw Error(ErrorCode::kCorruptFile, fmt::format("{}: \"{}\" lists {} sizes, expected 1 to {}",
                                                     json.source(), key, sizes.size(), kMaxLevels));
  }
  for (const int64_t size : sizes) checked_size(json, key, size);
  return sizes;
}

std::vector<bool> get_attention_levels(const io::JsonConfig& json, std::string_view key,
                                       std::string_view plain, std::string_view attentive,
                                       size_t levels) {
  std::vector<bool> has_attention;
  for (const std::string_view name : json.get_string_views(key)) {
    if (name != plain && name != attentive) {
      throw Error(ErrorCode::kUnsupported,
                  fmt::format("{}: \"{}\" names {}, but only {} and {} are supported",
                              json.source(), key, name, plain, attentive));
    }
    has_attention.push_back(name == attentive);
  }
  if (has_attention.size() != levels) {
    throw Error(ErrorCode::kCorruptFile,
                fmt::format("{}: \"{}\" lists {} blocks, but \"block_out_channels\" {}",
                            json.source(), key, has_attention.size(), levels));
  }
  return has_attention;
}

void require_divisible(const io::JsonConfig& json, std::string_view key, int64_t value,
                       std::string_view divisor_key, int64_t divisor) {
  if (value % divisor == 0) return;
  throw Error(ErrorCode::kCorruptFile,
              fmt::format("{}: \"{}\" is {}, which is not divisible by \"{}\", {}", json.source(),
                          key, value, divisor_key, divisor));
}

void require_value(const io::JsonConfig& json, std::string_view key, std::string_view expected) {
  require_equal(json, key, json.get_string_view(key, expected), expected);
}

void require_value(const io::JsonConfig& json, std::string_view key, bool expected) {
  require_equal(json, key, json.get_bool(key, expected), expected);
}

void require_value(const io::JsonConfig& json, std::string_view key, int64_t expected) {
  require_equal(json, key, json.get_int(key, expected), expected);
}

}  // namespace kandinsky::nn
