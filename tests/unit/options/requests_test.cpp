#include "options/requests.h"

#include <gtest/gtest.h>

#include <functional>

#include "unit/support.h"

namespace kandinsky {
namespace {

using Texts = std::vector<std::string>;

void refuse(std::string_view part, const std::function<void(PromptRequest&)>& change) {
  PromptRequest request;
  request.prompts = {"a", "b"};
  request.seeds = {1, 2};
  EXPECT_NO_THROW(request.check());
  change(request);
  test::expect_error(ErrorCode::kInvalidArgument, part, [&] { request.check(); });
}

TEST(PromptRequest, IsCheckedBeforeAnyWork) {
  refuse("batch size is 0", [](PromptRequest& r) { r.prompts.clear(); });
  refuse("1 seeds for 2 images", [](PromptRequest& r) { r.seeds.pop_back(); });
  refuse("1 negative_prompts for 2", [](PromptRequest& r) { r.negative_prompts = Texts{"x"}; });
  refuse("3 negative_prior_prompts for 2", [](PromptRequest& r) {
    r.negative_prior_prompts = Texts{"x", "y", "z"};
  });
}

TEST(PromptRequest, ItsTextsAreReadBeforeAnyWork) {
  refuse("comes to 200", [](PromptRequest& r) { r.prompts.back().assign("(a:200)"); });
  refuse("\"1.2.3\" is not a number", [](PromptRequest& r) {
    r.negative_prompts = Texts{"", "(a:1.2.3)"};
  });
  refuse("brackets are open", [](PromptRequest& r) {
    r.negative_prior_prompts = Texts{std::string(1000, '['), ""};
  });
  refuse("byte 0xff", [](PromptRequest& r) {
    r.parse_weights = false;
    r.prompts.front().assign(1, '\xFF');
  });
  PromptRequest plain;
  plain.prompts = {"(a:200) (b:1.2.3)" + std::string(1000, '(')};
  plain.seeds = {1};
  plain.parse_weights = false;
  EXPECT_NO_THROW(plain.check());
}

TEST(DenoiseRequest, ItsSeedResizeIsCheckedAsASize) {
  DenoiseRequest request;
  request.seeds = {1};
  request.seed_resize_width = 16384;
  request.seed_resize_height = 8192;
  EXPECT_NO_THROW(request.check());
  request.seed_resize_height = 8193;
  test::expect_error(ErrorCode::kInvalidArgument, "seed_resize: 16384 x 8193 pixels are too many",
                     [&] { request.check(); });
}

TEST(Size, IsThatOfAnImageThatCanBeReadBack) {
  EXPECT_NO_THROW(check_size(16384, 8192));
  test::expect_error(ErrorCode::kInvalidArgument, "16384 x 8193 pixels are too many",
                     [] { check_size(16384, 8193); });
}

}  // namespace
}  // namespace kandinsky
