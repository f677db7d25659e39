#include "pipelines/embeds.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "base/limits.h"
#include "io/safetensors.h"
#include "unit/pipelines/tiny_encoding.h"
#include "unit/support.h"

namespace kandinsky::pipelines {
namespace {

/// Numbers that tell rows apart; length: rows of the hidden states.
Embeds embeds(int64_t batch, int64_t length, double first = 1.0) {
  const auto numbers = [&](at::IntArrayRef shape) {
    return (at::arange(c10::multiply_integers(shape)) + first).to(at::kFloat).view(shape);
  };
  return {{{"image_embeds", numbers({batch, 3})},
           {"prompt_embeds", numbers({batch, 3})},
           {"text_encoder_hidden_states", numbers({batch, length, 2})}}};
}

Embeds concat(const std::vector<Embeds>& items) {
  std::vector<const Embeds*> pointers;
  for (const Embeds& item : items) pointers.push_back(&item);
  return concat_embeds(pointers);
}

Embeds select(const Embeds& from, const std::vector<int64_t>& rows) {
  return select_embeds(from, rows);
}

TEST(Embeds, RowsComeBackFromWhereTheyWerePut) {
  const Embeds a = embeds(2, 4);
  const Embeds b = embeds(1, 4, 100);
  const Embeds all = concat({a, b});
  EXPECT_EQ(all.batch_size(), 3);
  EXPECT_EQ(all.find("text_lengths"), nullptr);
  expect_same(select(all, {0, 1}), a);
  expect_same(select(all, {2}), b);
  expect_same(select(all, {2, 0, 2}), concat({b, row(a, 0), b}));
}

TEST(Embeds, RowsOfUnequalLengthAreFilledUpAndLeftAgain) {
  const Embeds a = embeds(2, 2);
  const Embeds b = embeds(1, 5, 100);
  const Embeds all = concat({a, b});
  const at::Tensor& states = all.at("text_encoder_hidden_states");
  EXPECT_EQ(states.sizes(), (at::IntArrayRef{3, 5, 2}));
  EXPECT_TRUE(all.at("text_lengths").equal(at::tensor({2.0F, 2.0F, 5.0F}).view({3, 1})));
  EXPECT_EQ(states.slice(0, 0, 2).slice(1, 2).abs().max().item<float>(), 0.0F);
  expect_same(select(all, {0, 1}), a);
  expect_same(select(all, {2}), b);
  expect_same(concat({select(all, {0, 2}), select(all, {1})}), select(all, {0, 2, 1}));
  EXPECT_EQ(all.tensors.front().first, "image_embeds");
}

TEST(Embeds, AFileKeepsAllOfIt) {
  const test::TempFolder folder;
  for (const Embeds& original : {embeds(2, 4), concat({embeds(1, 2), embeds(2, 5)})}) {
    const std::string path = folder.path("mix.safetensors");
    save_embeds(original, path);
    expect_same(load_embeds(path), original);
  }
}

TEST(Embeds, AMixKeepsTheLengths) {
  const Embeds text = concat({embeds(1, 2), embeds(1, 5)});
  const Embeds image = embeds(1, 3);
  const std::vector<const Embeds*> items{&image};
  const std::vector<double> weights{1.0};
  const Embeds mixed = combine_embeds(items, weights, &text, MixMethod::kSum);
  EXPECT_TRUE(mixed.at("text_lengths").equal(text.at("text_lengths")));
  EXPECT_TRUE(mixed.at("image_embeds").equal(image.at("image_embeds").expand({2, 3})));
}

TEST(Embeds, AFileOfSomethingElseIsCorrupt) {
  const test::TempFolder folder;
  const std::string path = folder.path("bad.safetensors");
  const auto refuse = [&](std::string_view part, Embeds bad) {
    save_embeds(bad, path);
    test::expect_error(ErrorCode::kCorruptFile, part, [&] { (void)load_embeds(path); });
  };
  const auto with = [](const char* name, const at::Tensor& tensor) {
    Embeds result = embeds(2, 4);
    std::erase_if(result.tensors, [name](const auto& entry) { return entry.first == name; });
    result.tensors.emplace_back(name, tensor);
    return result;
  };
  refuse("no tensor \"image_embeds\"", {{{"prompt_embeds", at::zeros({1, 3})}}});
  refuse("differ in their first dimension", with("prompt_embeds", at::zeros({3, 3})));
  refuse("not finite", with("prompt_embeds", at::full({2, 3}, NAN)));
  refuse("has 4 dimensions", with("prompt_embeds", at::zeros({2, 1, 1, 1})));
  for (const at::Tensor& lengths :
       {at::tensor({0.0F, 1.0F}).view({2, 1}), at::tensor({1.0F, 5.0F}).view({2, 1}),
        at::tensor({1.5F, 2.0F}).view({2, 1}), at::ones({2, 2})}) {
    refuse("\"text_lengths\" does not fit", with("text_lengths", lengths));
  }
  refuse("it has 1025 rows", {{{"image_embeds", at::zeros({1025, 3})}}});
}

TEST(Embeds, WhatDoesNotFitIsRefused) {
  const auto refuse = [](std::string_view part, const std::function<void()>& body) {
    test::expect_error(ErrorCode::kInvalidArgument, part, body);
  };
  refuse("no embeds to join", [] { (void)concat({}); });
  refuse("item 2 is empty", [] { (void)concat({embeds(1, 2), Embeds{}}); });
  refuse("item 2 has 1 tensors, the first one 3", [] {
    (void)concat({embeds(1, 2), {{{"image_embeds", at::zeros({1, 3})}}}});
  });
  refuse("item 2 has image_embeds [1, 4], the first one [1, 3]", [] {
    Embeds other = embeds(1, 2);
    other.tensors[0].second = at::zeros({1, 4});
    (void)concat({embeds(1, 2), other});
  });
  refuse("no row was given", [] { (void)select(embeds(2, 2), {}); });
  refuse("there is no row 2, only rows 0 to 1", [] { (void)select(embeds(2, 2), {2}); });
  refuse("there is no row -1", [] { (void)select(embeds(2, 2), {-1}); });
  refuse("1025 rows are too many, at most 1024",
         [] { (void)select(embeds(2, 2), std::vector<int64_t>(1025, 0)); });
}

}  // namespace
}  // namespace kandinsky::pipelines
