#include "tensor/weights.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "base/error.h"
#include "io/safetensors.h"
#include "unit/support.h"

namespace kandinsky::tensor {
namespace {

/// A model folder with one component, "unet", that holds the given tensors.
class WeightsTest : public testing::Test {
 protected:
  void add(const std::string& name, const at::Tensor& tensor) {
    tensors_.emplace_back(name, tensor.contiguous());
  }

  Weights open(at::ScalarType dtype = at::kFloat) {
    folder_.write("model_index.json",
                  R"({"_class_name": "P", "unet": ["diffusers", "UNet2DConditionModel"]})");
    folder_.write("unet/config.json", "{}");
    std::vector<io::TensorView> views;
    for (const auto& [name, tensor] : tensors_) {
      const io::DType type = tensor.scalar_type() == at::kHalf   ? io::DType::kF16
                             : tensor.scalar_type() == at::kLong ? io::DType::kI64
                                                                 : io::DType::kF32;
      views.push_back(
          {.name = name,
           .dtype = type,
           .shape = {tensor.sizes().data(), tensor.sizes().size()},
           .bytes = {static_cast<const std::byte*>(tensor.const_data_ptr()), tensor.nbytes()}});
    }
    io::write_safetensors(folder_.path("unet/diffusion_pytorch_model.safetensors"), views);
    return Weights::open(io::ModelDir::open(folder_.path()).weights("unet"), {at::kCPU, dtype});
  }

  test::TempFolder folder_;
  std::vector<std::pair<std::string, at::Tensor>> tensors_;
};

TEST_F(WeightsTest, TakesByScopeAndConverts) {
  add("mid.0.weight", at::arange(6, at::kHalf).view({2, 3}));
  const Weights weights = open();
  const at::Tensor tensor = weights.scope("mid", 0).take("weight", {2, 3});
  EXPECT_EQ(tensor.scalar_type(), at::kFloat);
  EXPECT_TRUE(tensor.equal(at::arange(6, at::kFloat).view({2, 3})));
  weights.finish();
}

TEST_F(WeightsTest, ConvertsTheSameNumbersInAnyNumberOfPieces) {
  // More than two pieces of the conversion, and a rest.
  const at::Tensor numbers = at::sin(at::arange(1 << 20, at::kFloat)).mul(300).slice(0, 5);
  for (const at::ScalarType stored : {at::kHalf, at::kFloat}) {
    tensors_.clear();
    add("a", numbers.to(stored));
    for (const at::ScalarType dtype : {at::kFloat, at::kBFloat16}) {
      const at::Tensor wanted = numbers.to(stored).to(dtype);
      EXPECT_TRUE(open(dtype).take("a", numbers.sizes()).equal(wanted));
      EXPECT_TRUE(open(dtype).lend("a", numbers.sizes()).equal(wanted));
    }
  }
}

TEST_F(WeightsTest, LendsTheSameMemoryAgain) {
  add("large", at::full({4, 8}, 1.0, at::kHalf));
  add("small", at::full({3}, 2.0, at::kHalf));
  const Weights weights = open();
  const at::Tensor kept = weights.take("large", {4, 8});
  const at::Tensor large = weights.lend("large", {4, 8});
  EXPECT_EQ(large.sum().item<float>(), 32.0F);
  const at::Tensor small = weights.lend("small", {3});
  EXPECT_EQ(small.const_data_ptr(), large.const_data_ptr());
  EXPECT_EQ(small.sum().item<float>(), 6.0F);
  EXPECT_EQ(kept.sum().item<float>(), 32.0F);
  weights.finish();
}

TEST_F(WeightsTest, OutlivesTheObjectThatOpenedTheFile) {
  add("a", at::full({3}, 7.0));
  at::Tensor tensor;
  { tensor = open().take("a", {3}); }
  EXPECT_EQ(tensor.sum().item<float>(), 21.0F);
}

TEST_F(WeightsTest, ReportsAllThatIsWrongInOneMessage) {
  add("known", at::zeros({2}));
  add("narrow", at::zeros({2}));
  add("surplus", at::zeros({2}));
  const Weights weights = open();
  weights.take("known", {2});
  EXPECT_EQ(weights.take("narrow", {3}).sizes(), at::IntArrayRef({3}));
  EXPECT_EQ(weights.scope("gone").take("weight", {4, 5}).sizes(), at::IntArrayRef({4, 5}));
  for (const char* part : {"missing tensors: gone.weight", "narrow is [2], expected [3]",
                           "unknown tensors: surplus"}) {
    test::expect_error(ErrorCode::kCorruptFile, part, [&] { weights.finish(); });
  }
}

TEST_F(WeightsTest, NamesOnlySomeOfVeryMany) {
  for (int i = 0; i < 100; ++i) add(std::to_string(i), at::zeros({1}));
  test::expect_error(ErrorCode::kCorruptFile, "and 95 more", [&] { open().finish(); });
}

TEST_F(WeightsTest, IgnoresWhatIsKnownToBeLeftOver) {
  add("pooler.weight", at::zeros({2}));
  add("position_ids", at::zeros({1, 2}, at::kLong));
  const Weights weights = open();
  weights.ignore("pooler.");
  weights.ignore("position_ids");
  weights.finish();
}

TEST_F(WeightsTest, AcceptsLinearWeightsWrittenAsConvolutions) {
  add("q", at::ones({4, 4, 1, 1}));
  EXPECT_EQ(open().take("q", {4, 4}).sizes(), at::IntArrayRef({4, 4}));
}

TEST_F(WeightsTest, TakesTheFirstOfSeveralNamesThatIsThere) {
  add("query", at::ones({2}));
  const Weights weights = open();
  EXPECT_EQ(weights.take({"to_q", "query"}, {2}).sum().item<float>(), 2.0F);
  weights.finish();
}

TEST_F(WeightsTest, RefusesNumbersThatAreNotFinite) {
  for (const float bad :
       {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity(),
        -std::numeric_limits<float>::infinity()}) {
    tensors_.clear();
    at::Tensor tensor = at::zeros({3, 3});
    tensor[1][2] = bad;
    add("weight", tensor);
    test::expect_error(ErrorCode::kCorruptFile, "\"weight\" holds values that are not finite", [&] {
      open().take("weight", {3, 3});
    });
  }
}

TEST_F(WeightsTest, SaysThatAnotherPrecisionHelpsWhenNumbersOverflow) {
  add("weight", at::full({2}, 1e30));
  test::expect_error(ErrorCode::kUnsupported, "fp16", [&] { open(at::kHalf).take("weight", {2}); });
}

TEST_F(WeightsTest, ReadsRowsOfATable) {
  const at::Tensor numbers = at::arange(12, at::kHalf).view({4, 3});
  add("table", numbers);
  const Weights weights = open();
  const StoredTable table = weights.table("table", {4, 3});
  weights.finish();
  const at::Tensor ids = at::tensor({3, 0, 3, 1}).view({2, 2});
  EXPECT_TRUE(table.rows(ids).equal(numbers.index_select(0, ids.view(-1)).view({2, 2, 3})));
  for (const int64_t id : {-1, 4}) {
    test::expect_error(ErrorCode::kInternal, "of a table of 4",
                       [&] { table.rows(at::tensor({id})); });
  }
}

TEST_F(WeightsTest, BeginsAnewWithTheSameFiles) {
  add("a", at::full({3}, 7.0));
  const Weights first = open();
  first.take("a", {3});
  first.finish();
  // Replaced by rename, as a download may: what was checked is what is read.
  tensors_.clear();
  add("b", at::full({1}, 1.0));
  open();
  const Weights second = first.anew({at::kCPU, at::kBFloat16});
  test::expect_error(ErrorCode::kCorruptFile, "unknown tensors: a", [&] { second.finish(); });
  EXPECT_TRUE(second.take("a", {3}).equal(at::full({3}, 7.0, at::kBFloat16)));
  second.finish();
}

TEST_F(WeightsTest, WhatWasReadOutlivesAFileThatIsCutAndTheRestIsAnError) {
  const at::Tensor numbers = at::sin(at::arange(1 << 20, at::kFloat));
  for (const at::ScalarType stored : {at::kFloat, at::kHalf}) {
    tensors_.clear();
    add("a", numbers.to(stored));
    add("b", numbers.to(stored).view({1 << 10, 1 << 10}));
    const Weights weights = open();
    const at::Tensor taken = weights.take("a", numbers.sizes());
    const StoredTable table = weights.table("b", {1 << 10, 1 << 10});
    const std::string path = folder_.path("unet/diffusion_pytorch_model.safetensors");
    std::filesystem::resize_file(path, 1000);
    EXPECT_TRUE(taken.equal(numbers.to(stored).to(at::kFloat)));
    const auto expect_changed = [&](const std::function<void()>& read) {
      for (const std::string_view part :
           {std::string_view("while it is in use"), std::string_view(path)})
        test::expect_error(ErrorCode::kCorruptFile, part, read);
    };
    expect_changed([&] { weights.take("a", numbers.sizes()); });
    expect_changed([&] { weights.lend("a", numbers.sizes()); });
    expect_changed([&] { table.rows(at::tensor({0})); });
  }
}

TEST_F(WeightsTest, StopsAtTheFirstOfVeryManyMissingTensors) {
  add("a", at::zeros({1}));
  const Weights weights = open().without_values();
  int asked = 0;
  test::expect_error(ErrorCode::kCorruptFile, "and 496 more", [&] {
    for (; asked < 1'000'000; ++asked) weights.scope("layers", asked).take("weight", {1});
  });
  EXPECT_EQ(asked, 500);
}

TEST_F(WeightsTest, RefusesShapesThatNoNumberCounts) {
  add("a", at::zeros({1}));
  test::expect_error(ErrorCode::kCorruptFile, "a is [1], expected [4294967296, 4294967296]", [&] {
    open().without_values().take("a", {int64_t{1} << 32, int64_t{1} << 32});
  });
  test::expect_error(ErrorCode::kCorruptFile, "missing tensors: b", [&] {
    open().without_values().take("b", {int64_t{1} << 32, int64_t{1} << 32});
  });
}

}  // namespace
}  // namespace kandinsky::tensor
