/// Reads a network's config.json: valid sizes and supported switches.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "io/json_config.h"

namespace kandinsky::nn {

/// A positive integer of at most one million. Throws Error(kCorruptFile) with file and key.
int64_t get_size(const io::JsonConfig& json, std::string_view key);
int64_t get_size(const io::JsonConfig& json, std::string_view key, int64_t fallback);

/// A number of layers, 1 to limits::kMaxLayers. Throws alike.
int64_t get_layer_count(const io::JsonConfig& json, std::string_view key);
int64_t get_layer_count(const io::JsonConfig& json, std::string_view key, int64_t fallback);

/// A list of 1 to 16 sizes.
std::vector<int64_t> get_sizes(const io::JsonConfig& json, std::string_view key);

/// The levels with attention, by their blocks' class names: `plain` or `attentive`.
/// Throws Error(kUnsupported) for another name, Error(kCorruptFile) unless there are `levels` of
/// them.
std::vector<bool> get_attention_levels(const io::JsonConfig& json, std::string_view key,
                                       std::string_view plain, std::string_view attentive,
                                       size_t levels);

/// Throws Error(kCorruptFile) unless `value` is divisible by `divisor`.
void require_divisible(const io::JsonConfig& json, std::string_view key, int64_t value,
                       std::string_view divisor_key, int64_t divisor);

/// Throws Error(kUnsupported) unless the key has the expected value or is absent.
void require_value(const io::JsonConfig& json, std::string_view key, std::string_view expected);
void require_value(const io::JsonConfig& json, std::string_view key, bool expected);
void require_value(const io::JsonConfig& json, std::string_view key, int64_t expected);
inline void require_value(const io::JsonConfig& json, std::string_view key, const char* expected) {
  require_value(json, key, std::string_view(expected));
}

}  // namespace kandinsky::nn
