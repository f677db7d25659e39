#include "io/zip_directory.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/limits.h"
#include "base/span.h"
#include "base/utf8.h"
#include "io/bytes.h"
#include "io/input_file.h"

/// The format: PKWARE's APPNOTE.TXT 6.3, sections 4.3 and 4.5.3.
namespace kandinsky::io {
namespace {

constexpr std::uint32_t kLocalSignature = 0x04034b50;
constexpr std::uint32_t kEntrySignature = 0x02014b50;
constexpr std::uint32_t kEndSignature = 0x06054b50;
constexpr std::uint32_t kEnd64Signature = 0x06064b50;
constexpr std::uint32_t kLocator64Signature = 0x07064b50;
constexpr std::size_t kLocalSize = 30;
constexpr std::size_t kEntrySize = 46;
constexpr std::size_t kEndSize = 22;
constexpr std::size_t kEnd64Size = 56;
constexpr std::size_t kLocator64Size = 20;
constexpr std::uint64_t kIn64 = 0xFFFFFFFF;  ///< the value is in a 64-bit field
constexpr std::uint32_t kSizes64 = 1;        ///< the extra field with an entry's 64-bit values

[[noreturn]] void fail(const InputFile& file, std::string_view what) {
  throw Error(ErrorCode::kCorruptFile, fmt::format("{}: {}", file.path(), what));
}

[[noreturn]] void fail_truncated(const InputFile& file) {
  fail(file,
       "truncated: the list of files that ends a ZIP archive is missing; perhaps an incomplete "
       "download");
}

std::uint64_t little_endian_64(Span<const std::byte> bytes, std::size_t at) {
  return little_endian(bytes, at, 4) | static_cast<std::uint64_t>(little_endian(bytes, at + 4, 4))
                                           << 32U;
}

template <std::size_t size>
std::array<std::byte, size> read(const InputFile& file, std::uint64_t position) {
  std::array<std::byte, size> bytes{};
  file.read(position, bytes);
  return bytes;
}

/// The position of the list of entries, and its length.
struct Place {
  std::uint64_t begin = 0;
  std::uint64_t size = 0;
  std::uint64_t count = 0;
};

Place find_directory(const InputFile& file) {
  constexpr std::size_t kMaxComment = 0xFFFF;
  const std::uint64_t tail_size = std::min<std::uint64_t>(file.size(), kEndSize + kMaxComment);
  const std::uint64_t tail_begin = file.size() - tail_size;
  std::vector<std::byte> tail(tail_size);
  file.read(tail_begin, tail);
  for (std::size_t rest = kEndSize; rest <= tail.size(); ++rest) {
    const Span<const std::byte> end = Span<const std::byte>(tail).last(rest);
    if (little_endian(end, 0, 4) != kEndSignature || little_endian(end, 20, 2) != rest - kEndSize) {
      continue;
    }
    Place place{.begin = little_endian(end, 16, 4),
                .size = little_endian(end, 12, 4),
                .count = little_endian(end, 10, 2)};
    std::uint64_t directory_end = file.size() - rest;
    if (directory_end >= kLocator64Size) {
      const auto locator = read<kLocator64Size>(file, directory_end - kLocator64Size);
      if (little_endian(locator, 0, 4) == kLocator64Signature) {
        const std::uint64_t position = little_endian_64(locator, 8);
        if (position > file.size() || file.size() - position < kEnd64Size) fail_truncated(file);
        const auto end64 = read<kEnd64Size>(file, position);
        if (little_endian(end64, 0, 4) != kEnd64Signature) fail_truncated(file);
        place = {.begin = little_endian_64(end64, 48),
                 .size = little_endian_64(end64, 40),
                 .count = little_endian_64(end64, 32)};
        directory_end = position;
      }
    }
    if (place.begin > directory_end || place.size != directory_end - place.begin)
      fail(file, "the ZIP archive's list of files is not where it says");
    return place;
  }
  fail_truncated(file);
}

/// False for names that could lead out of a folder, although nothing is unpacked: no legitimate
/// archive has them.
bool is_plain(std::string_view name) {
  if (name.empty() || name.front() == '/' || name.find_first_of("\\:") != std::string_view::npos ||
      find_invalid_utf8(name) != std::string_view::npos ||
      quote_controls(name).size() != name.size()) {
    return false;
  }
  for (std::size_t at = 0; at != std::string_view::npos;) {
    const std::size_t end = name.find('/', at);
    if (name.substr(at, end - at) == "..") return false;
    at = end == std::string_view::npos ? end : end + 1;
  }
  return true;
}

std::string quoted(std::string_view name) {
  const std::vector<char> valid = replace_invalid_utf8(name);
  const std::vector<char> shown = quote_controls({valid.data(), valid.size()});
  return {shown.begin(), shown.end()};
}

}  // namespace

struct ZipDirectory::Impl {
  std::vector<std::byte> directory;  ///< storage of the names
  std::vector<ZipEntry> entries;
  std::unordered_map<std::string_view, std::size_t> index;
};

ZipDirectory::ZipDirectory(std::shared_ptr<const Impl> impl) : impl_(std::move(impl)) {}

ZipDirectory ZipDirectory::open(const InputFile& file) {
  const Place place = find_directory(file);
  if (place.size > limits::kMaxZipDirectoryBytes) {
    fail(file, fmt::format("the ZIP archive's list of files has {} bytes, at most {} are allowed",
                           place.size, limits::kMaxZipDirectoryBytes));
  }
  auto impl = std::make_shared<Impl>();
  impl->directory.resize(place.size);
  file.read(place.begin, impl->directory);

  Span<const std::byte> rest(impl->directory);
  std::vector<std::uint64_t> begins;
  for (std::uint64_t i = 0; i < place.count; ++i) {
    if (rest.size() < kEntrySize || little_endian(rest, 0, 4) != kEntrySignature)
      fail(file,
           fmt::format("the ZIP archive's list of files ends after {} of {}", i, place.count));
    const Span<const std::byte> fields = rest.first(kEntrySize);
    const std::size_t name_size = little_endian(fields, 28, 2);
    const std::size_t extra_size = little_endian(fields, 30, 2);
    const std::size_t comment_size = little_endian(fields, 32, 2);
    rest = rest.subspan(kEntrySize);
    if (rest.size() < name_size + extra_size + comment_size)
      fail(file, fmt::format("the ZIP archive's list of files ends within number {}", i));
    const std::string_view name = text_of(rest.first(name_size));
    Span<const std::byte> extra = rest.subspan(name_size, extra_size);
    rest = rest.subspan(name_size + extra_size + comment_size);
    const auto refuse = [&](ErrorCode code, std::string_view what) {
      throw Error(code,
                  fmt::format("{}: '{}' in the ZIP archive {}", file.path(), quoted(name), what));
    };
    if (!is_plain(name))
      refuse(ErrorCode::kCorruptFile,
             "has a name that leads out of it; such an archive is not PyTorch's, do not unpack it");
    if (!impl->index.emplace(name, i).second) refuse(ErrorCode::kCorruptFile, "is there twice");
    if ((little_endian(fields, 8, 2) & 1U) != 0) refuse(ErrorCode::kUnsupported, "is encrypted");
    if (little_endian(fields, 10, 2) != 0)
      refuse(ErrorCode::kUnsupported,
             "is compressed, which PyTorch's never are: unpack the archive, if the checkpoint is "
             "in it");

    // Values that do not fit into 32 bits follow in this order, others are omitted.
    std::uint64_t unpacked = little_endian(fields, 24, 4);
    std::uint64_t size = little_endian(fields, 20, 4);
    std::uint64_t begin = little_endian(fields, 42, 4);
    for (; extra.size() >= 4; extra = extra.subspan(4 + little_endian(extra, 2, 2))) {
      const std::size_t field_size = little_endian(extra, 2, 2);
      if (extra.size() < 4 + field_size) break;
      if (little_endian(extra, 0, 2) != kSizes64) continue;
      std::size_t at = 4;
      for (std::uint64_t* const number : {&unpacked, &size, &begin}) {
        if (*number != kIn64 || at + 8 > 4 + field_size) continue;
        *number = little_endian_64(extra, at);
        at += 8;
      }
    }
    if (size != unpacked)
      refuse(ErrorCode::kCorruptFile,
             fmt::format("has {} bytes, and {} when unpacked", size, unpacked));
    if (begin > place.begin || place.begin - begin < kLocalSize)
      refuse(ErrorCode::kCorruptFile, "begins outside of it");
    const auto local = read<kLocalSize>(file, begin);
    if (little_endian(local, 0, 4) != kLocalSignature)
      refuse(ErrorCode::kCorruptFile, "is not where the list says");
    const std::uint64_t position =
        begin + kLocalSize + little_endian(local, 26, 2) + little_endian(local, 28, 2);
    if (position > place.begin || size > place.begin - position)
      refuse(ErrorCode::kCorruptFile, "ends outside of it");
    impl->entries.push_back({.name = name, .position = position, .size = size});
    begins.push_back(begin);
  }
  if (!rest.empty())
    fail(file, fmt::format("the ZIP archive's list of files has more than the {} that it says",
                           place.count));

  std::vector<std::size_t> order(begins.size());
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
  std::ranges::sort(order, {}, [&](std::size_t i) { return begins[i]; });
  for (std::size_t i = 1; i < order.size(); ++i) {
    const ZipEntry& before = impl->entries[order[i - 1]];
    if (before.position + before.size <= begins[order[i]]) continue;
    fail(file, fmt::format("'{}' and '{}' in the ZIP archive overlap", before.name,
                           impl->entries[order[i]].name));
  }
  return ZipDirectory(std::move(impl));
}

Span<const ZipEntry> ZipDirectory::entries() const noexcept { return impl_->entries; }

const ZipEntry* ZipDirectory::find(std::string_view name) const noexcept {
  const auto found = impl_->index.find(name);
  return found == impl_->index.end() ? nullptr : &impl_->entries[found->second];
}

}  // namespace kandinsky::io
