#include "base/error.h"

#include <gtest/gtest.h>

#include <set>
#include <string>

#include "base/limits.h"
#include "base/utf8.h"

namespace kandinsky {
namespace {

TEST(Error, KeepsCodeAndMessage) {
  const std::string text = "unet: 3 channels, expected 4";
  const Error error(ErrorCode::kCorruptFile, std::string_view(text).substr(0, 16));
  EXPECT_EQ(error.code(), ErrorCode::kCorruptFile);
  EXPECT_STREQ(error.what(), "unet: 3 channels");
  const Error copy = error;  // NOLINT(performance-unnecessary-copy-initialization)
  EXPECT_STREQ(copy.what(), error.what());
}

TEST(Error, ALongMessageIsCutBetweenCharacters) {
  const std::string longest(limits::kMaxMessageBytes, 'a');
  EXPECT_EQ(Error(ErrorCode::kCorruptFile, longest).what(), longest);
  std::string text("x");
  while (text.size() < 2 * limits::kMaxMessageBytes) text += "\u20AC";
  const std::string cut = Error(ErrorCode::kCorruptFile, text).what();
  EXPECT_LE(cut.size(), limits::kMaxMessageBytes);
  EXPECT_GT(cut.size(), limits::kMaxMessageBytes - 4);
  EXPECT_EQ(cut, text.substr(0, cut.size() - 3) + "...");
  EXPECT_EQ(find_invalid_utf8(cut), std::string::npos);
}

TEST(Error, EveryCodeHasANameOfItsOwn) {
  std::set<std::string> names;
  for (int code = 1; code <= 10; ++code)
    names.insert(error_code_name(static_cast<ErrorCode>(code)));
  EXPECT_EQ(names.size(), 10U);
  EXPECT_EQ(names.count("unknown"), 0U);
  EXPECT_STREQ(error_code_name(static_cast<ErrorCode>(99)), "unknown");
}

}  // namespace
}  // namespace kandinsky
