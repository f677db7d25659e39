#include "tensor/noise.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

namespace kandinsky::tensor {
namespace {

/// torch.randn([1, 4, 8, 8], generator=torch.Generator().manual_seed(0)) begins so.
TEST(NoiseSourceTest, EqualsTorchFromPython) {
  NoiseSource source({0});
  const at::Tensor noise = source.draw(0, {1, 4, 8, 8}).flatten();
  EXPECT_FLOAT_EQ(noise[0].item<float>(), -1.12583983F);
  EXPECT_FLOAT_EQ(noise[1].item<float>(), -1.15236020F);
  EXPECT_FLOAT_EQ(noise[2].item<float>(), -0.25057858F);
  EXPECT_FLOAT_EQ(noise[3].item<float>(), -0.43387881F);
}

TEST(NoiseSourceTest, AnImageDoesNotDependOnItsNeighbours) {
  NoiseSource batch({5, 6, 7});
  NoiseSource alone({6});
  for (int draw = 0; draw < 3; ++draw) {
    EXPECT_TRUE(batch.draw_all({4, 4, 4})[1].equal(alone.draw_all({4, 4, 4})[0])) << draw;
  }
}

TEST(NoiseSourceTest, LeavesTheGlobalGeneratorAlone) {
  at::manual_seed(1);
  const at::Tensor expected = at::rand({4});
  at::manual_seed(1);
  NoiseSource({3}).draw_all({100});
  EXPECT_TRUE(at::rand({4}).equal(expected));
}

}  // namespace
}  // namespace kandinsky::tensor
