/// Memory for tensors that come one after another.
#include "tensor/scratch.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

namespace kandinsky::tensor {
namespace {

TEST(Scratch, LendsTheSameMemoryUntilMoreIsWanted) {
  Scratch scratch;
  const at::Tensor first = scratch.lend({16, 8}, at::kFloat);
  EXPECT_EQ(first.sizes(), at::IntArrayRef({16, 8}));
  EXPECT_TRUE(first.is_contiguous());
  const at::Tensor second = scratch.lend({4, 3}, at::kBFloat16);
  EXPECT_EQ(second.sizes(), at::IntArrayRef({4, 3}));
  EXPECT_EQ(second.scalar_type(), at::kBFloat16);
  EXPECT_EQ(second.data_ptr(), first.data_ptr());
  const at::Tensor larger = scratch.lend({2, 16, 8}, at::kFloat);
  EXPECT_NE(larger.data_ptr(), first.data_ptr()) << "the first is still held";
  larger.fill_(1);
  EXPECT_EQ(scratch.lend({256}, at::kFloat).sum().item<float>(), 256);
}

TEST(Scratch, LendsNothingAtAll) {
  Scratch scratch;
  EXPECT_EQ(scratch.lend({0, 8}, at::kFloat).numel(), 0);
}

TEST(Scratch, ForgetsWhenReleased) {
  Scratch scratch;
  const at::Tensor before = scratch.lend({8}, at::kFloat);
  scratch.release();
  EXPECT_NE(scratch.lend({8}, at::kFloat).data_ptr(), before.data_ptr());
}

}  // namespace
}  // namespace kandinsky::tensor
