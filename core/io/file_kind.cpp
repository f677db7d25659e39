#include "io/file_kind.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <string_view>

#include "base/ascii.h"
#include "base/error.h"
#include "base/span.h"

namespace kandinsky::io {
namespace {

bool is_web_page(std::string_view head) {
  if (head.starts_with("\xEF\xBB\xBF")) head.remove_prefix(3);
  head.remove_prefix(std::min(head.find_first_not_of(" \t\r\n"), head.size()));
  constexpr std::array<std::string_view, 4> kStarts = {"<!doctype html", "<html", "<head", "<?xml"};
  return std::ranges::any_of(kStarts, [&](std::string_view start) {
    return same_word(head.substr(0, start.size()), start);
  });
}

/// Protocols 2 to 5, followed by what a pickle of a dictionary or of PyTorch's magic number begins
/// with, or by a frame.
bool is_pickle(std::string_view head) {
  constexpr std::string_view kNext = "}(c\x8a\x95";
  return head.size() > 2 && head[0] == '\x80' && head[1] >= 2 && head[1] <= 5 &&
         kNext.find(head[2]) != std::string_view::npos;
}

}  // namespace

std::string_view kind_of_intruder(std::string_view head) noexcept {
  if (head.empty()) return "empty; perhaps an incomplete download";
  if (head.starts_with("version https://git-lfs"))
    return "a Git LFS pointer, not the file itself: fetch that with 'git lfs pull'";
  if (is_web_page(head))
    return "a web page: the download gave an error or a login page instead of the file";
  if (head.starts_with("PK\3\4"))
    return "a ZIP archive, as PyTorch's pickled checkpoints (.bin, .ckpt, .pt) are";
  if (is_pickle(head)) return "a Python pickle, as old PyTorch checkpoints (.bin, .ckpt, .pt) are";
  if (head.starts_with("\x1F\x8B")) return "a gzip archive: unpack it first";
  if (head.starts_with("GGUF")) return "a GGUF file";
  if (std::ranges::all_of(head, [](char c) { return c == '\0'; }))
    return "nothing but zeros at its beginning; perhaps an incomplete download";
  return {};
}

void refuse_other_kinds(std::string_view path, Span<const std::byte> bytes,
                        std::string_view wanted) {
  constexpr std::size_t kHead = 512;
  const std::string_view kind = kind_of_intruder(
      {reinterpret_cast<const char*>(bytes.data()), std::min(bytes.size(), kHead)});
  if (kind.empty()) return;
  throw Error(ErrorCode::kCorruptFile, fmt::format("{}: is {}; expected {}", path, kind, wanted));
}

}  // namespace kandinsky::io
