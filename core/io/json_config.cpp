#include "io/json_config.h"

#include <fmt/format.h>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/json_caps.h"
#include "base/limits.h"
#include "base/span.h"
#include "io/file_kind.h"
#include "io/input_file.h"

namespace kandinsky::io {
namespace {

using Json = nlohmann::json;

struct Document {
  std::string source;
  Json root;
};

/// A value for a message: short, on one line, never failing. Lists and objects are only
/// named: printing them would recurse as deep as the file nests them.
std::string shown(const Json& value) {
  if (value.is_array()) return "a list";
  if (value.is_object()) return "an object";
  constexpr std::size_t kMaxShown = 60;
  std::string text = value.dump(-1, ' ', true, Json::error_handler_t::replace);
  if (text.size() > kMaxShown) text = text.substr(0, kMaxShown) + "...";
  return text;
}

}  // namespace

struct JsonConfig::Impl {
  std::shared_ptr<const Document> document;
  const Json* object = nullptr;
  std::string prefix;  // "" or "outer.inner."

  const Json* find(std::string_view key) const {
    const auto found = object->find(std::string(key));
    return found == object->end() || found->is_null() ? nullptr : &*found;
  }

  const Json& require(std::string_view key) const {
    const Json* value = find(key);
    if (value == nullptr) {
      throw Error(ErrorCode::kCorruptFile,
                  fmt::format("{}: '{}{}' is missing", document->source, prefix, key));
    }
    return *value;
  }

  [[noreturn]] void wrong(std::string_view key, const Json& value,
                          std::string_view expected) const {
    throw Error(ErrorCode::kCorruptFile,
                fmt::format("{}: '{}{}' is {}, expected {}", document->source, prefix, key,
                            shown(value), expected));
  }

  std::int64_t to_int(std::string_view key, const Json& value, std::string_view expected) const {
    constexpr auto kMax = static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());
    const bool fits = value.is_number_integer() &&
                      (!value.is_number_unsigned() || value.get<std::uint64_t>() <= kMax);
    if (!fits) wrong(key, value, expected);
    return value.get<std::int64_t>();
  }

  double to_double(std::string_view key, const Json& value, std::string_view expected) const {
    if (!value.is_number() || !std::isfinite(value.get<double>())) wrong(key, value, expected);
    return value.get<double>();
  }

  template <typename T, typename Convert>
  std::vector<T> to_list(const Json& value, const Convert& convert) const {
    std::vector<T> result;
    if (!value.is_array()) {
      result.push_back(convert(value));
      return result;
    }
    result.reserve(value.size());
    for (const Json& item : value) result.push_back(convert(item));
    return result;
  }
};

JsonConfig::JsonConfig(std::shared_ptr<const Impl> impl) : impl_(std::move(impl)) {}

JsonConfig JsonConfig::load(std::string_view path) {
  const std::vector<std::byte> bytes = InputFile::open(path).read_all(limits::kMaxJsonBytes);
  refuse_other_kinds(path, bytes, "JSON");
  return parse({reinterpret_cast<const char*>(bytes.data()), bytes.size()}, path);
}

JsonConfig JsonConfig::parse(std::string_view text, std::string_view source) {
  if (text.size() > limits::kMaxJsonBytes) {
    throw Error(ErrorCode::kCorruptFile, fmt::format("{}: {} bytes are too many, at most {}",
                                                     source, text.size(), limits::kMaxJsonBytes));
  }
  auto document = std::make_shared<Document>();
  document->source = std::string(source);
  try {
    check_json_caps(text, limits::kMaxJsonValues, limits::kMaxJsonDepth,
                    [&](std::string_view what, std::size_t most) {
                      throw Error(
                          ErrorCode::kCorruptFile,
                          fmt::format("{}: its {} are too many, at most {}", source, what, most));
                    });
    // The last value of a repeated key is used, as in Python's json.
    document->root = Json::parse(text.begin(), text.end());
  } catch (const Json::parse_error& error) {
    throw Error(ErrorCode::kCorruptFile,
                fmt::format("{}: invalid JSON at byte {}{}", source, error.byte,
                            text.empty() ? ": the file is empty" : ""));
  } catch (const Json::exception&) {
    throw Error(ErrorCode::kCorruptFile, fmt::format("{}: a number in it is out of range", source));
  }
  if (!document->root.is_object()) {
    throw Error(ErrorCode::kCorruptFile,
                fmt::format("{}: holds {}, expected an object", source, shown(document->root)));
  }
  auto impl = std::make_shared<Impl>();
  impl->object = &document->root;
  impl->document = std::move(document);
  return JsonConfig(std::move(impl));
}

std::string_view JsonConfig::source() const noexcept { return impl_->document->source; }

bool JsonConfig::has(std::string_view key) const { return impl_->find(key) != nullptr; }

bool JsonConfig::is_list(std::string_view key) const {
  const Json* value = impl_->find(key);
  return value != nullptr && value->is_array();
}

bool JsonConfig::is_object(std::string_view key) const {
  const Json* value = impl_->find(key);
  return value != nullptr && value->is_object();
}

std::int64_t JsonConfig::get_int(std::string_view key) const {
  return impl_->to_int(key, impl_->require(key), "a whole number");
}

std::int64_t JsonConfig::get_int(std::string_view key, std::int64_t fallback) const {
  return has(key) ? get_int(key) : fallback;
}

double JsonConfig::get_double(std::string_view key) const {
  return impl_->to_double(key, impl_->require(key), "a number");
}

double JsonConfig::get_double(std::string_view key, double fallback) const {
  return has(key) ? get_double(key) : fallback;
}

bool JsonConfig::get_bool(std::string_view key) const {
  const Json& value = impl_->require(key);
  if (!value.is_boolean()) impl_->wrong(key, value, "true or false");
  return value.get<bool>();
}

bool JsonConfig::get_bool(std::string_view key, bool fallback) const {
  return has(key) ? get_bool(key) : fallback;
}

std::string_view JsonConfig::get_string_view(std::string_view key) const {
  const Json& value = impl_->require(key);
  if (!value.is_string()) impl_->wrong(key, value, "a text");
  return value.get_ref<const std::string&>();
}

std::string_view JsonConfig::get_string_view(std::string_view key,
                                             std::string_view fallback) const {
  return has(key) ? get_string_view(key) : fallback;
}

std::vector<std::int64_t> JsonConfig::get_ints(std::string_view key) const {
  return impl_->to_list<std::int64_t>(impl_->require(key), [&](const Json& value) {
    return impl_->to_int(key, value, "whole numbers");
  });
}

std::vector<std::int64_t> JsonConfig::get_ints(std::string_view key,
                                               Span<const std::int64_t> fallback) const {
  return has(key) ? get_ints(key) : std::vector<std::int64_t>(fallback.begin(), fallback.end());
}

std::vector<double> JsonConfig::get_doubles(std::string_view key) const {
  return impl_->to_list<double>(impl_->require(key), [&](const Json& value) {
    return impl_->to_double(key, value, "numbers");
  });
}

std::vector<double> JsonConfig::get_doubles(std::string_view key,
                                            Span<const double> fallback) const {
  return has(key) ? get_doubles(key) : std::vector<double>(fallback.begin(), fallback.end());
}

std::vector<std::string_view> JsonConfig::get_string_views(std::string_view key) const {
  const Json& value = impl_->require(key);
  if (!value.is_array()) impl_->wrong(key, value, "a list of texts");
  std::vector<std::string_view> result;
  for (const Json& item : value) {
    if (item.is_null()) continue;
    if (!item.is_string()) impl_->wrong(key, item, "texts");
    result.emplace_back(item.get_ref<const std::string&>());
  }
  return result;
}

JsonConfig JsonConfig::get_object(std::string_view key) const {
  const Json& value = impl_->require(key);
  if (!value.is_object()) impl_->wrong(key, value, "an object");
  auto impl = std::make_shared<Impl>();
  impl->document = impl_->document;
  impl->object = &value;
  impl->prefix = fmt::format("{}{}.", impl_->prefix, key);
  return JsonConfig(std::move(impl));
}

std::vector<std::string_view> JsonConfig::keys() const {
  std::vector<std::string_view> result;
  for (const auto& [key, value] : impl_->object->items()) {
    if (!value.is_null()) result.emplace_back(impl_->object->find(key).key());
  }
  return result;
}

}  // namespace kandinsky::io
