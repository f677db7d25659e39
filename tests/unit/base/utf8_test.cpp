#include "base/utf8.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>

namespace kandinsky {
namespace {

constexpr std::size_t kValid = std::string_view::npos;

std::string encoded(char32_t c) {
  unsigned char bytes[4] = {};
  const std::size_t size = encode_utf8(c, bytes);
  return {reinterpret_cast<const char*>(bytes), size};
}

TEST(Utf8, EveryCharacterSurvivesTheRoundTrip) {
  for (char32_t c = 0; c <= 0x10FFFF; ++c) {
    const std::string text = encoded(c);
    const bool surrogate = c >= 0xD800 && c <= 0xDFFF;
    ASSERT_EQ(find_invalid_utf8(text), surrogate ? 0 : kValid) << std::hex << std::uint32_t{c};
    if (!surrogate) {
      ASSERT_EQ(decode_utf8(text), std::vector<char32_t>{c});
    }
  }
}

TEST(Utf8, FindsTheFirstInvalidByte) {
  const std::pair<std::string, std::size_t> cases[] = {
      {"", kValid},
      {std::string("a\0b", 3), kValid},
      {"abc\x80", 3},            // a tail without a lead
      {"\xC0\x80", 0},           // overlong null
      {"\xC1\xBF", 0},           // overlong
      {"a\xE0\x80\x80", 1},      // overlong, three bytes
      {"a\xF0\x80\x80\x80", 1},  // overlong, four bytes
      {"\xED\xA0\x80", 0},       // surrogate
      {"\xF4\x90\x80\x80", 0},   // above U+10FFFF
      {"\xF5\x80\x80\x80", 0},
      {"ok \xD0", 3},  // cut off
      {"ok \xE4\xB8", 3},
      {"ok \xF0\x9F\x98", 3},
      {"\xD0\xBA\xD0Z", 2},  // a lead without a tail
      {"\xFF\xFE", 0},
  };
  for (const auto& [text, offset] : cases) {
    EXPECT_EQ(find_invalid_utf8(text), offset) << testing::PrintToString(text);
  }
}

TEST(Utf8, ReplacesEachByteThatIsNone) {
  const auto replaced = [](std::string_view text) {
    const std::vector<char> result = replace_invalid_utf8(text);
    return std::string(result.begin(), result.end());
  };
  EXPECT_EQ(replaced(""), "");
  EXPECT_EQ(replaced("красный 円 é"), "красный 円 é");
  EXPECT_EQ(replaced("\377a\xE2\x80"), "\uFFFDa\uFFFD\uFFFD");
}

TEST(Utf8, QuotesWhatATerminalWouldObey) {
  const auto quoted = [](std::string_view text) {
    const std::vector<char> result = quote_controls(text);
    return std::string(result.begin(), result.end());
  };
  EXPECT_EQ(quoted("a\x1b]0;title\x07"
                   "b"),
            R"(a\x1b]0;title\x07b)");
  EXPECT_EQ(quoted("one\ntwo\r\tthree\x7f"), R"(one\ntwo\x0d\tthree\x7f)");
  EXPECT_EQ(quoted(std::string_view("a\0b", 3)), R"(a\x00b)");
  EXPECT_EQ(quoted("\u009b31m"), R"(\x9b31m)");                            // C1: the same as ESC [
  EXPECT_EQ(quoted("\u2028\u202egnp\u2069"), R"(\u2028\u202egnp\u2069)");  // reads "png" backwards
  // Names as people have them, and paths that are no UTF-8.
  for (const char* kept : {"", "красный/円 \\ é.safetensors", "שלום عربى",
                           "\u00a0\u2027\u202f\u2065\u206a", "\xff\x9b\xc2", "\xe2", "\xe2\x80"}) {
    EXPECT_EQ(quoted(kept), kept);
  }
}

}  // namespace
}  // namespace kandinsky
