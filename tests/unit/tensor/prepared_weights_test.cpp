#include "tensor/prepared_weights.h"

#include <ATen/ATen.h>

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "io/cache_folder.h"
#include "nn/kernels/onednn.h"
#include "unit/support.h"

namespace kandinsky::tensor {
namespace {

class PreparedWeightsTest : public testing::TestWithParam<at::ScalarType> {
 protected:
  void SetUp() override {
    if (!can_prepare_weights()) GTEST_SKIP() << "this LibTorch cannot store packed tensors";
    if (!nn::onednn::can_pack(placement())) GTEST_SKIP() << "this LibTorch packs nothing here";
  }

  static Placement placement() { return {.dtype = GetParam()}; }

  PreparedWeights open(const Placement& placed = placement(),
                       const std::string& weights = "digest") const {
    return {io::CacheFolder(folder_.path(), 1'000'000'000), "net", weights, placed};
  }

  /// Odd sizes, of which a packed one has padding.
  static std::vector<at::Tensor> matrices() {
    std::vector<at::Tensor> all;
    for (int64_t i = 0; i < 3; ++i)
      all.push_back(at::sin(at::arange(77 * 133, at::kFloat) + i).view({77, 133}).to(GetParam()));
    return all;
  }

  static std::vector<at::Tensor> packed() {
    std::vector<at::Tensor> all;
    for (const at::Tensor& matrix : matrices()) all.push_back(nn::onednn::pack_linear(matrix));
    return all;
  }

  test::TempFolder folder_;
};

TEST_P(PreparedWeightsTest, GivesBackWhatWasKept) {
  PreparedWeights first = open();
  EXPECT_FALSE(first.find("a", "packed"));
  EXPECT_FALSE(first.has_news());
  first.keep("a", "packed", packed());
  first.keep("b", "plain", matrices());
  ASSERT_TRUE(first.has_news());
  EXPECT_GT(first.write([] {}), 0U);
  EXPECT_EQ(folder_.num_files(), 1U);

  const PreparedWeights second = open();
  EXPECT_GT(second.mapped_bytes(), 0);
  const auto kept = second.find("a", "packed");
  const auto plain = second.find("b", "plain");
  ASSERT_TRUE(kept && plain);
  ASSERT_EQ(kept->size(), 3U);
  const at::Tensor rows = at::cos(at::arange(5 * 133, at::kFloat)).view({5, 133}).to(GetParam());
  for (size_t i = 0; i < 3; ++i) {
    EXPECT_TRUE((*plain)[i].equal(matrices()[i]));
    EXPECT_TRUE((*kept)[i].to_dense().equal(matrices()[i]));
    EXPECT_TRUE(
        nn::onednn::linear(rows, (*kept)[i], {}).equal(nn::onednn::linear(rows, packed()[i], {})));
  }
  EXPECT_FALSE(second.find("a", "plain"));
  EXPECT_FALSE(second.find("c", "packed"));
}

TEST_P(PreparedWeightsTest, OthersHaveFilesOfTheirOwn) {
  PreparedWeights first = open();
  first.keep("a", "packed", packed());
  first.write([] {});
  Placement other = placement();
  other.small_tiles = true;
  EXPECT_EQ(open(other).mapped_bytes(), 0);
  other = placement();
  other.speedups.winograd = false;
  EXPECT_EQ(open(other).mapped_bytes(), 0);
  EXPECT_EQ(open(placement(), "another digest").mapped_bytes(), 0);
  const int threads = at::get_num_threads();
  at::set_num_threads(threads + 1);
  EXPECT_EQ(open().mapped_bytes(), 0);
  at::set_num_threads(threads);
  EXPECT_GT(open().mapped_bytes(), 0);
}

TEST_P(PreparedWeightsTest, AnotherFileOfThatNameIsNotUsed) {
  PreparedWeights first = open();
  first.keep("a", "packed", packed());
  first.write([] {});
  Placement other = placement();
  other.small_tiles = true;
  PreparedWeights second = open(other);
  second.keep("a", "packed", packed());
  second.write([] {});
  std::vector<std::string> files;
  for (const auto& entry : std::filesystem::directory_iterator(folder_.path()))
    files.push_back(entry.path());
  ASSERT_EQ(files.size(), 2U);
  std::filesystem::copy_file(files[0], files[1], std::filesystem::copy_options::overwrite_existing);
  EXPECT_NE(open().mapped_bytes() > 0, open(other).mapped_bytes() > 0);
}

TEST_P(PreparedWeightsTest, AStoppedWriteLeavesNothing) {
  struct Stop {};
  PreparedWeights first = open();
  first.keep("a", "packed", packed());
  int calls = 0;
  EXPECT_THROW(first.write([&] {
    if (++calls == 2) throw Stop();
  }),
               Stop);
  EXPECT_EQ(folder_.num_files(), 0U);
}

TEST_P(PreparedWeightsTest, UnlikeTensorsAreNotKept) {
  PreparedWeights first = open();
  first.keep("a", "packed", {packed()[0], nn::onednn::pack_linear(at::ones({5, 7}, GetParam()))});
  first.keep("b", "plain", {matrices()[0].t()});
  EXPECT_FALSE(first.has_news());
}

INSTANTIATE_TEST_SUITE_P(Types, PreparedWeightsTest, testing::Values(at::kFloat, at::kBFloat16),
                         [](const auto& type) { return std::string(c10::toString(type.param)); });

}  // namespace
}  // namespace kandinsky::tensor
