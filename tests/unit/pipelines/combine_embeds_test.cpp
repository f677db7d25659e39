#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "base/limits.h"
#include "pipelines/embeds.h"
#include "unit/support.h"

namespace kandinsky::pipelines {
namespace {

Embeds item(std::vector<std::vector<float>> rows, float text = 0.0F) {
  const auto batch = static_cast<int64_t>(rows.size());
  std::vector<at::Tensor> values;
  for (const std::vector<float>& row : rows) values.push_back(at::tensor(row));
  return {{{"image_embeds", at::stack(values)},
           {"prompt_embeds", at::full({batch, 2}, text)},
           {"text_encoder_hidden_states", at::full({batch, 3, 4}, text)}}};
}

Embeds combine(const std::vector<Embeds>& items, const std::vector<double>& weights,
               MixMethod method = MixMethod::kSum, const Embeds* text = nullptr) {
  std::vector<const Embeds*> pointers;
  for (const Embeds& each : items) pointers.push_back(&each);
  return combine_embeds(pointers, weights, text, method);
}

at::Tensor mix(const std::vector<Embeds>& items, const std::vector<double>& weights,
               MixMethod method = MixMethod::kSum) {
  return combine(items, weights, method).at("image_embeds");
}

void refuse(std::string_view part, const std::vector<Embeds>& items,
            const std::vector<double>& weights, MixMethod method = MixMethod::kSum) {
  test::expect_error(ErrorCode::kInvalidArgument, part,
                     [&] { (void)combine(items, weights, method); });
}

const Embeds kX = item({{1, 0, 0}}, 1);
const Embeds kY = item({{0, 2, 0}}, 2);
const Embeds kZ = item({{0, 0, 3}}, 3);

TEST(CombineEmbeds, SumsByWeightsThatNeedNotAddUp) {
  EXPECT_TRUE(mix({kX, kY}, {0.5, -2.0}).equal(at::tensor({{0.5F, -4.0F, 0.0F}})));
  EXPECT_TRUE(mix({kX, kY, kZ}, {1, 1, 1}).equal(at::tensor({{1.0F, 2.0F, 3.0F}})));
  EXPECT_TRUE(mix({kX}, {1e6}).equal(at::tensor({{1e6F, 0.0F, 0.0F}})));
  EXPECT_TRUE(mix({kX, kX}, {1, -1}).equal(at::zeros({1, 3})));
  EXPECT_TRUE(mix({kX, kY}, {0, 0}).equal(at::zeros({1, 3})));
}

TEST(CombineEmbeds, TheTextIsTheFirstItemsOrTheOneGiven) {
  const Embeds own = combine({kY, kX}, {0, 1});
  EXPECT_TRUE(own.at("prompt_embeds").equal(kY.at("prompt_embeds")));
  const Embeds other = combine({kY, kX}, {1, 1}, MixMethod::kSum, &kZ);
  EXPECT_TRUE(other.at("prompt_embeds").equal(kZ.at("prompt_embeds")));
  EXPECT_TRUE(other.at("text_encoder_hidden_states").equal(kZ.at("text_encoder_hidden_states")));
  EXPECT_TRUE(other.at("image_embeds").equal(at::tensor({{1.0F, 2.0F, 0.0F}})));
}

TEST(CombineEmbeds, AnItemWithoutWeightLeavesNoTrace) {
  constexpr float kHuge = std::numeric_limits<float>::max();
  const Embeds huge = item({{kHuge, -kHuge, kHuge}});
  const Embeds infinite = item({{std::numeric_limits<float>::infinity(), NAN, 0}});
  const Embeds a = item({{0.1F, 0.2F, -0.3F}});
  const Embeds b = item({{0.7F, -0.9F, 0.4F}});
  for (const MixMethod method : {MixMethod::kSum, MixMethod::kSlerp}) {
    const at::Tensor expected = mix({a, b}, {0.3, 0.6}, method);
    EXPECT_TRUE(mix({a, huge, b}, {0.3, 0, 0.6}, method).equal(expected));
    EXPECT_TRUE(mix({infinite, a, b, huge}, {0, 0.3, 0.6, 0}, method).equal(expected));
    EXPECT_TRUE(mix({a, huge}, {1, 0}, method).equal(a.at("image_embeds")));
  }
}

TEST(CombineEmbeds, OneRowServesAllRows) {
  const Embeds two = item({{1, 2, 3}, {4, 5, 6}}, 7);
  const at::Tensor expected = at::tensor({{2.0F, 2.0F, 3.0F}, {5.0F, 5.0F, 6.0F}}).view({2, 3});
  EXPECT_TRUE(mix({two, kX}, {1, 1}).equal(expected));
  const Embeds mixed = combine({kX, two}, {1, 1});
  EXPECT_TRUE(mixed.at("image_embeds").equal(expected));
  EXPECT_TRUE(mixed.at("prompt_embeds").equal(at::full({2, 2}, 1.0F)));
  EXPECT_EQ(mixed.at("text_encoder_hidden_states").size(0), 2);
  const Embeds wide = combine({kX, kY}, {1, 1}, MixMethod::kSum, &two);
  EXPECT_EQ(wide.batch_size(), 2);
  EXPECT_TRUE(wide.at("image_embeds").equal(at::tensor({{1.0F, 2.0F, 0.0F}}).expand({2, 3})));
  refuse("item 2 has image_embeds [2, 3], expected [3, 3] or [1, 3]",
         {item({{1, 1, 1}, {1, 1, 1}, {1, 1, 1}}), two}, {1, 1});
}

TEST(CombineEmbeds, SlerpGoesAlongTheSphere) {
  for (const double t : {0.1, 0.25, 0.5, 0.9}) {
    const at::Tensor mixed = mix({kX, kY}, {3 * (1 - t), 3 * t}, MixMethod::kSlerp);
    const double length = (1 - t) * 1 + t * 2;
    const at::Tensor expected =
        at::tensor({length * std::cos(t * M_PI / 2), length * std::sin(t * M_PI / 2), 0.0});
    EXPECT_TRUE(at::allclose(mixed[0].to(at::kDouble), expected, 1e-6, 1e-6)) << t;
  }
  // Items of one direction: only the lengths differ.
  EXPECT_TRUE(at::allclose(mix({kX, item({{3, 0, 0}})}, {1, 1}, MixMethod::kSlerp),
                           at::tensor({{2.0F, 0.0F, 0.0F}})));
}

TEST(CombineEmbeds, SlerpDoesNotDependOnTheOrder) {
  const at::Tensor expected = mix({kX, kY, kZ}, {0.2, 0.3, 0.5}, MixMethod::kSlerp);
  EXPECT_TRUE(
      at::allclose(mix({kZ, kX, kY}, {0.5, 0.2, 0.3}, MixMethod::kSlerp), expected, 1e-6, 1e-6));
  const at::Tensor even = mix({kX, kY, kZ}, {1, 1, 1}, MixMethod::kSlerp);
  EXPECT_TRUE(at::allclose(even, at::full({1, 3}, 2.0 / std::sqrt(3.0), at::kFloat), 1e-6));
}

TEST(CombineEmbeds, SlerpKnowsWhereThereIsNoWay) {
  refuse("opposite directions", {kX, item({{-2, 0, 0}})}, {1, 1}, MixMethod::kSlerp);
  refuse("opposite directions", {kX, item({{-2, 0, 0}})}, {1, 3}, MixMethod::kSlerp);
  refuse("weight 2 is -1", {kX, kY}, {1, -1}, MixMethod::kSlerp);
  refuse("all weights are 0", {kX, kY}, {0, 0}, MixMethod::kSlerp);
  const Embeds zero = item({{0, 0, 0}});
  EXPECT_TRUE(
      at::allclose(mix({kX, zero}, {1, 1}, MixMethod::kSlerp), at::tensor({{0.5F, 0.0F, 0.0F}})));
  EXPECT_TRUE(mix({zero, zero}, {1, 1}, MixMethod::kSlerp).equal(at::zeros({1, 3})));
}

TEST(CombineEmbeds, HostileInputIsRefused) {
  refuse("there are 0 items, expected 1 to 64", {}, {});
  EXPECT_NO_THROW(mix(std::vector(50, kX), std::vector(50, 1.0)));
  refuse("there are 65 items", std::vector(65, kX), std::vector(65, 1.0));
  refuse("there are 1 weights for 2 items", {kX, kY}, {1});
  for (const MixMethod method : {MixMethod::kSum, MixMethod::kSlerp}) {
    refuse("weight 2 is nan", {kX, kY}, {1, NAN}, method);
    refuse("weight 1 is 1e+30, expected -1e+06 to 1e+06", {kX, kY}, {1e30, 1}, method);
    refuse("weight 1 is inf", {kX}, {std::numeric_limits<double>::infinity()}, method);
  }
  refuse("not finite", {item({{3e38F, 0, 0}}), kY}, {1e6, 1});
  refuse("item 2 has image_embeds [1, 2], expected [1, 3]", {kX, item({{1, 2}})}, {1, 1});
  refuse("no tensor \"image_embeds\"", {kX, Embeds{}}, {1, 1});
  test::expect_error(ErrorCode::kInvalidArgument, "the text's item has image_embeds [1, 2]", [] {
    const Embeds other = item({{1, 2}});
    (void)combine({kX}, {1}, MixMethod::kSum, &other);
  });
}

}  // namespace
}  // namespace kandinsky::pipelines
