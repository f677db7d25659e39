#include "base/error.h"

#include <gtest/gtest.h>

#include <set>
#include <string>

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
