#include "io/safetensors.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <limits>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_set>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/limits.h"
#include "base/span.h"
#include "io/atomic_file.h"
#include "io/file_kind.h"
#include "io/input_file.h"
#include "io/tensor_file.h"
#include "io/tensor_view.h"

namespace kandinsky::io {
namespace {

static_assert(std::endian::native == std::endian::little,
              "the format is little-endian and its data is used in place");

constexpr std::size_t kLengthBytes = 8;
constexpr std::size_t kDataAlignment = 64;
constexpr std::string_view kMetadataKey = "__metadata__";

struct HeaderTensor {
  std::string name;
  DType dtype = DType::kF32;
  std::vector<std::int64_t> shape;
  std::uint64_t begin = 0;
  std::uint64_t end = 0;
};

/// Parses the header event by event and refuses the first error, so that a malicious
/// header takes no more memory than a normal one.
class HeaderReader : public nlohmann::json_sax<nlohmann::json> {
 public:
  explicit HeaderReader(std::string_view path) : path_(path) {}

  std::vector<HeaderTensor> tensors;
  std::vector<std::pair<std::string, std::string>> metadata;

  [[noreturn]] void fail(std::string_view what) const {
    throw Error(ErrorCode::kCorruptFile,
                tensor_.name.empty() || state_ == State::kTop
                    ? fmt::format("{}: safetensors header: {}", path_, what)
                    : fmt::format("{}: tensor '{}': {}", path_, tensor_.name, what));
  }

  bool null() override { fail_value("null"); }
  bool boolean(bool /*value*/) override { fail_value("a boolean"); }
  bool number_float(number_float_t /*value*/, const string_t& text) override {
    fail_value(fmt::format("the number {}", text));
  }
  bool binary(binary_t& /*value*/) override { fail_value("binary data"); }
  bool number_integer(number_integer_t value) override {
    fail_value(fmt::format("the number {}", value));
  }

  bool number_unsigned(number_unsigned_t value) override {
    if (state_ == State::kShape) {
      if (value > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())) {
        fail(fmt::format("dimension {} is too large", value));
      }
      if (tensor_.shape.size() == limits::kMaxTensorRank) {
        fail(fmt::format("more than {} dimensions", limits::kMaxTensorRank));
      }
      tensor_.shape.push_back(static_cast<std::int64_t>(value));
    } else if (state_ == State::kOffsets) {
      if (num_offsets_ == 2) fail("data_offsets has more than two numbers");
      (num_offsets_ == 0 ? tensor_.begin : tensor_.end) = value;
      ++num_offsets_;
    } else {
      fail_value(fmt::format("the number {}", value));
    }
    return true;
  }

  bool string(string_t& value) override {
    if (state_ == State::kMetadata) {
      if (metadata.size() == limits::kMaxSafetensorsMetadata)
        fail(fmt::format("more than {} metadata entries", limits::kMaxSafetensorsMetadata));
      metadata.emplace_back(key_, value);
    } else if (state_ == State::kTensor && key_ == "dtype") {
      const std::optional<DType> dtype = parse_dtype(value);
      if (!dtype) {
        throw Error(ErrorCode::kUnsupported,
                    fmt::format("{}: tensor '{}': element type '{}' is not supported", path_,
                                tensor_.name, value));
      }
      tensor_.dtype = *dtype;
    } else {
      fail_value("a text");
    }
    return true;
  }

  bool start_object(std::size_t /*elements*/) override {
    if (state_ == State::kStart) {
      state_ = State::kTop;
    } else if (state_ == State::kTop && key_ == kMetadataKey) {
      state_ = State::kMetadata;
      seen_.clear();
    } else if (state_ == State::kTop) {
      if (tensors.size() == limits::kMaxTensorsPerFile) {
        fail(fmt::format("more than {} tensors", limits::kMaxTensorsPerFile));
      }
      state_ = State::kTensor;
      tensor_ = HeaderTensor{};
      tensor_.name = key_;
      num_offsets_ = 0;
      seen_.clear();
    } else {
      fail_value("an object");
    }
    return true;
  }

  bool key(string_t& value) override {
    auto& seen = state_ == State::kTop ? seen_names_ : seen_;
    if (!seen.insert(value).second) fail(fmt::format("'{}' appears twice", value));
    if (state_ == State::kTop && value.empty()) fail("a tensor has no name");
    if (state_ == State::kTensor && value != "dtype" && value != "shape" &&
        value != "data_offsets") {
      fail(fmt::format("unexpected key '{}'", value));
    }
    key_ = value;
    return true;
  }

  bool end_object() override {
    if (state_ == State::kTensor) {
      if (seen_.size() != 3) fail("dtype, shape or data_offsets is missing");
      tensors.push_back(std::move(tensor_));
      tensor_ = HeaderTensor{};
    }
    state_ = state_ == State::kTop ? State::kEnd : State::kTop;
    return true;
  }

  bool start_array(std::size_t /*elements*/) override {
    if (state_ == State::kTensor && key_ == "shape") {
      state_ = State::kShape;
    } else if (state_ == State::kTensor && key_ == "data_offsets") {
      state_ = State::kOffsets;
    } else {
      fail_value("a list");
    }
    return true;
  }

  bool end_array() override {
    if (state_ == State::kOffsets && num_offsets_ != 2)
      fail("data_offsets does not have two numbers");
    state_ = State::kTensor;
    return true;
  }

  bool parse_error(std::size_t position, const std::string& /*last_token*/,
                   const nlohmann::json::exception& /*error*/) override {
    fail(fmt::format("invalid JSON at byte {}", position));
  }

 private:
  enum class State { kStart, kTop, kMetadata, kTensor, kShape, kOffsets, kEnd };

  [[noreturn]] void fail_value(std::string_view got) const {
    switch (state_) {
      case State::kTop:
        fail(fmt::format("'{}' is {}, expected an object", key_, got));
      case State::kMetadata:
        fail(fmt::format("metadata '{}' is {}, expected a text", key_, got));
      case State::kTensor:
        fail(fmt::format("{} is {}", key_, got));
      case State::kShape:
        fail(fmt::format("shape contains {}, expected whole numbers from 0", got));
      case State::kOffsets:
        fail(fmt::format("data_offsets contains {}, expected whole numbers from 0", got));
      default:
        fail(fmt::format("it is {}, expected an object", got));
    }
  }

  std::string_view path_;
  State state_ = State::kStart;
  std::string key_;
  HeaderTensor tensor_;
  int num_offsets_ = 0;
  std::unordered_set<std::string> seen_names_;
  std::unordered_set<std::string> seen_;
};

std::string_view as_text(Span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

Span<const std::byte> as_bytes(std::string_view text) {
  return {reinterpret_cast<const std::byte*>(text.data()), text.size()};
}

[[noreturn]] void throw_corrupt(std::string_view path, std::string_view what) {
  throw Error(ErrorCode::kCorruptFile, fmt::format("{}: {}", path, what));
}

}  // namespace

SafetensorsFile SafetensorsFile::open(std::string_view path) {
  InputFile file = InputFile::open(path);
  constexpr std::string_view kTruncated = "perhaps an incomplete download";
  std::array<std::byte, 512> head{};
  const auto head_size =
      static_cast<std::size_t>(std::min<std::uint64_t>(head.size(), file.size()));
  file.read(0, Span<std::byte>(head).first(head_size));
  std::uint64_t header_size = 0;
  std::memcpy(&header_size, head.data(), kLengthBytes);
  const bool is_plausible = head_size > kLengthBytes && header_size > 0 &&
                            header_size <= file.size() - kLengthBytes &&
                            head[kLengthBytes] == std::byte{'{'};
  if (!is_plausible)
    refuse_other_kinds(path, Span<const std::byte>(head).first(head_size), "a safetensors file");
  if (file.size() < kLengthBytes) {
    throw_corrupt(path, fmt::format("truncated: {} bytes are too few for a safetensors file; {}",
                                    file.size(), kTruncated));
  }
  if (header_size > limits::kMaxSafetensorsHeaderBytes) {
    throw_corrupt(path,
                  fmt::format("no safetensors file: the header's length would be {} bytes, at most "
                              "{} are allowed",
                              header_size, limits::kMaxSafetensorsHeaderBytes));
  }
  if (header_size > file.size() - kLengthBytes) {
    throw_corrupt(path, fmt::format("truncated: the header should have {} bytes, {} are there; {}",
                                    header_size, file.size() - kLengthBytes, kTruncated));
  }

  HeaderReader reader(path);
  {
    std::vector<std::byte> bytes(header_size);
    file.read(kLengthBytes, bytes);
    const std::string_view header = as_text(bytes);
    try {
      // The format pads the header with spaces, which are white space to JSON.
      if (!nlohmann::json::sax_parse(header.begin(), header.end(), &reader)) {
        reader.fail("invalid JSON");
      }
    } catch (const nlohmann::json::exception& error) {
      reader.fail(error.what());
    }
  }

  std::ranges::stable_sort(reader.tensors, [](const HeaderTensor& a, const HeaderTensor& b) {
    return std::pair(a.begin, a.end) < std::pair(b.begin, b.end);
  });

  const std::uint64_t data_begin = kLengthBytes + header_size;
  const std::uint64_t data_size = file.size() - data_begin;
  std::uint64_t position = 0;
  std::vector<StoredTensor> tensors;
  for (const HeaderTensor& tensor : reader.tensors) {
    const auto fail = [&](std::string_view what) {
      throw_corrupt(path, fmt::format("tensor '{}': {}", tensor.name, what));
    };
    if (tensor.begin > tensor.end) {
      fail(fmt::format("data_offsets run backwards, from {} to {}", tensor.begin, tensor.end));
    }
    const std::optional<std::int64_t> expected = tensor_byte_size(tensor.dtype, tensor.shape);
    if (!expected) fail(fmt::format("shape [{}] is too large", fmt::join(tensor.shape, ", ")));
    if (tensor.end - tensor.begin != static_cast<std::uint64_t>(*expected)) {
      fail(fmt::format("{} of shape [{}] needs {} bytes, data_offsets give {}",
                       dtype_name(tensor.dtype), fmt::join(tensor.shape, ", "), *expected,
                       tensor.end - tensor.begin));
    }
    if (tensor.begin < position) {
      fail(fmt::format("its data overlaps another tensor's at byte {}", tensor.begin));
    }
    if (tensor.begin > position) {
      fail(fmt::format("{} unused bytes before its data", tensor.begin - position));
    }
    if (tensor.end > data_size) {
      throw_corrupt(path,
                    fmt::format("truncated: tensor '{}' ends at byte {} of the data, {} are there; "
                                "{}",
                                tensor.name, tensor.end, data_size, kTruncated));
    }
    position = tensor.end;
    tensors.push_back({.name = tensor.name,
                       .dtype = tensor.dtype,
                       .shape = tensor.shape,
                       .position = data_begin + tensor.begin,
                       .size = tensor.end - tensor.begin});
  }
  if (position != data_size) {
    throw_corrupt(path, fmt::format("{} bytes after the last tensor", data_size - position));
  }

  std::vector<MetadataEntry> metadata;
  for (const auto& [key, value] : reader.metadata) metadata.push_back({key, value});
  return {std::move(file), tensors, metadata};
}

void write_safetensors(std::string_view path, Span<const TensorOutline> tensors,
                       Span<const MetadataEntry> metadata,
                       const std::function<void(std::size_t i, const WriteBytes& write)>& fill) {
  const auto refuse = [&](const std::string& what) {
    throw Error(ErrorCode::kInvalidArgument, fmt::format("{}: cannot be written: {}", path, what));
  };
  // Ordered, so that the header lists the tensors as their data follows.
  nlohmann::ordered_json header = nlohmann::ordered_json::object();
  std::unordered_set<std::string_view> names;
  if (!metadata.empty()) {
    nlohmann::ordered_json entries = nlohmann::ordered_json::object();
    for (const MetadataEntry& entry : metadata) {
      if (!names.insert(entry.key).second) {
        refuse(fmt::format("metadata '{}' appears twice", entry.key));
      }
      entries.push_back({std::string(entry.key), std::string(entry.value)});
    }
    header.push_back({std::string(kMetadataKey), std::move(entries)});
    names.clear();
  }

  std::vector<std::uint64_t> sizes;
  // ordered_json looks keys up linearly; the names are known to differ.
  auto& members = header.get_ref<nlohmann::ordered_json::object_t&>();
  std::uint64_t position = 0;
  for (const TensorOutline& tensor : tensors) {
    if (tensor.name.empty() || tensor.name == kMetadataKey || !names.insert(tensor.name).second) {
      refuse(fmt::format("'{}' is not a usable name, or appears twice", tensor.name));
    }
    const std::optional<std::int64_t> expected = tensor_byte_size(tensor.dtype, tensor.shape);
    if (!expected) {
      refuse(fmt::format("tensor '{}': shape [{}] is too large", tensor.name,
                         fmt::join(tensor.shape, ", ")));
    }
    sizes.push_back(static_cast<std::uint64_t>(*expected));
    nlohmann::ordered_json entry = nlohmann::ordered_json::object();
    entry["dtype"] = std::string(dtype_name(tensor.dtype));
    entry["shape"] = std::vector<std::int64_t>(tensor.shape.begin(), tensor.shape.end());
    entry["data_offsets"] = {position, position + sizes.back()};
    members.push_back({std::string(tensor.name), std::move(entry)});
    position += sizes.back();
  }

  std::string text;
  try {
    text = header.dump();
  } catch (const nlohmann::json::exception&) {
    refuse("a name or metadata text is not valid UTF-8");
  }
  const std::size_t beyond = (kLengthBytes + text.size()) % kDataAlignment;
  text.append((kDataAlignment - beyond) % kDataAlignment, ' ');
  const std::uint64_t length = text.size();
  std::array<std::byte, kLengthBytes> prefix{};
  std::memcpy(prefix.data(), &length, kLengthBytes);
  write_file_atomically(path, [&](const WriteBytes& write) {
    write(prefix);
    write(as_bytes(text));
    for (std::size_t i = 0; i < tensors.size(); ++i) {
      std::uint64_t written = 0;
      fill(i, [&](Span<const std::byte> bytes) {
        written += bytes.size();
        write(bytes);
      });
      if (written == sizes[i]) continue;
      refuse(fmt::format("tensor '{}': {} of shape [{}] does not fit {} bytes", tensors[i].name,
                         dtype_name(tensors[i].dtype), fmt::join(tensors[i].shape, ", "), written));
    }
  });
}

void write_safetensors(std::string_view path, Span<const TensorView> tensors,
                       Span<const MetadataEntry> metadata) {
  std::vector<TensorOutline> outlines;
  for (const TensorView& tensor : tensors)
    outlines.push_back({.name = tensor.name, .dtype = tensor.dtype, .shape = tensor.shape});
  write_safetensors(path, outlines, metadata,
                    [&](std::size_t i, const WriteBytes& write) { write(tensors[i].bytes); });
}

}  // namespace kandinsky::io
