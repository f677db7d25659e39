/// Memory of large tensors that is kept for the next ones.
#include "tensor/arena.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdint>
#include <fstream>
#include <thread>

#include "tensor/run_context.h"

namespace kandinsky::tensor {
namespace {

const at::TensorOptions kFloats = at::TensorOptions(at::kFloat);

/// Tensors of this thread share an arena while it exists.
class ArenaScope {
 private:
  RunScope scope_{[](RunContext& context) { context.arena = make_arena(); }};
};

TEST(Arena, HasTheShapeAndOrderThatWereAskedFor) {
  const ArenaScope scope;
  for (const int64_t side : {8, 256}) {
    const at::Tensor map = recycled({2, 3, side, 5}, at::kBFloat16, at::MemoryFormat::ChannelsLast);
    EXPECT_EQ(map.sizes(), at::IntArrayRef({2, 3, side, 5}));
    EXPECT_EQ(map.scalar_type(), at::kBFloat16);
    EXPECT_TRUE(map.is_contiguous(at::MemoryFormat::ChannelsLast));
    const at::Tensor rows = recycled({100, side, 5}, kFloats);
    EXPECT_EQ(rows.sizes(), at::IntArrayRef({100, side, 5}));
    EXPECT_TRUE(rows.is_contiguous());
  }
  EXPECT_EQ(recycled({0, 8}, kFloats).numel(), 0);
}

TEST(Arena, TakesTheMemoryOfATensorThatIsGone) {
  const ArenaScope scope;
  at::Tensor first = recycled({1 << 20}, kFloats);
  const void* const memory = first.data_ptr();
  at::Tensor other = recycled({1 << 20}, kFloats);
  EXPECT_NE(other.data_ptr(), memory) << "the first is still there";
  const at::Tensor part = first.narrow(0, 8, 8);
  first.reset();
  EXPECT_NE(recycled({1 << 20}, kFloats).data_ptr(), memory) << "a part of it is";
}

TEST(Arena, FreesOnlyWhatIsUnused) {
  // More than AddressSanitizer keeps of what is freed.
  constexpr int64_t kBytes = int64_t{384} << 20U;
  const auto resident = [] {
    int64_t pages = 0;
    std::ifstream("/proc/self/statm").ignore(64, ' ') >> pages;
    return pages * ::sysconf(_SC_PAGESIZE);
  };
  const ArenaScope scope;
  const at::Tensor used = recycled({1 << 20}, kFloats).fill_(3);
  recycled({kBytes}, at::kByte).fill_(1);
  const int64_t kept = resident();
  free_recycled();
  EXPECT_LT(resident(), kept - kBytes * 9 / 10);
  EXPECT_TRUE(used.eq(3).all().item<bool>());
}

TEST(Arena, TakesTheSmallestBlockThatIsLargeEnough) {
  const ArenaScope scope;
  at::Tensor large = recycled({1 << 20}, kFloats);
  at::Tensor small = recycled({1 << 19}, kFloats);
  const void* const large_memory = large.data_ptr();
  const void* const small_memory = small.data_ptr();
  large.reset();
  small.reset();
  const at::Tensor half = recycled({1 << 18}, kFloats);
  EXPECT_EQ(half.data_ptr(), small_memory);
  const at::Tensor most = recycled({1 << 19}, kFloats);
  EXPECT_EQ(most.data_ptr(), large_memory);
}

TEST(Arena, WastesNoLargeBlockOnAFew) {
  const ArenaScope scope;
  at::Tensor large = recycled({1 << 24}, kFloats);
  const void* const memory = large.data_ptr();
  large.reset();
  const at::Tensor few = recycled({1 << 20}, kFloats);
  EXPECT_NE(few.data_ptr(), memory);
  EXPECT_EQ(recycled({1 << 24}, kFloats).data_ptr(), memory);
}

TEST(Arena, WithoutOneOrOutlivingItATensorIsAnyOther) {
  recycled({1 << 20}, kFloats).fill_(1);
  at::Tensor result;
  {
    const ArenaScope scope;
    result = recycled({1 << 20}, kFloats).fill_(2);
    {
      const ArenaScope inner;
      recycled({1 << 20}, kFloats).fill_(3);
    }
  }
  EXPECT_EQ(result.sum().item<double>(), 2 << 20);
  std::thread([gone = std::move(result)]() mutable { gone.reset(); }).join();
}

}  // namespace
}  // namespace kandinsky::tensor
