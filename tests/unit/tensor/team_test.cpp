/// Jobs compute on as many threads as OpenMP really gives them.
#include "tensor/team.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdint>
#include <functional>
#include <new>
#include <system_error>
#include <thread>
#include <utility>

#include "base/error.h"
#include "nn/kernels/onednn.h"
#include "tensor/at_once.h"
#include "tensor/device.h"
#include "tensor/run_context.h"
#include "tensor/start_threads.h"

namespace kandinsky::tensor {
namespace {

class TeamTest : public testing::Test {
 protected:
  TeamTest() { at::set_num_threads(2); }
  void SetUp() override {
#ifndef KANDINSKY_OPENMP
    GTEST_SKIP() << "built without LibTorch's OpenMP: our own loops use one thread";
#endif
  }
  ~TeamTest() override { at::set_num_threads(threads_); }

  /// Twice, each time on one of two threads of a parallel region.
  static void in_a_region(const std::function<void()>& body) {
    const RunScope scope([](RunContext& context) { context.images_at_once = 2; });
    each_at_once(2, [&](int64_t) {
      EXPECT_TRUE(at::in_parallel_region());
      body();
    });
  }

 private:
  const int threads_ = at::get_num_threads();
};

/// Counts where it runs. Each thread has a copy, for which there may be no memory.
class Body {
 public:
  Body(std::function<void()> at_copy, std::atomic<int64_t>& sum)
      : at_copy_(std::move(at_copy)), sum_(sum) {}
  Body(const Body& other) : at_copy_(other.at_copy_), sum_(other.sum_) { at_copy_(); }
  Body(Body&&) = default;
  void operator()(int64_t i) const { sum_ += 1 + i; }

 private:
  std::function<void()> at_copy_;
  std::atomic<int64_t>& sum_;
};

TEST(StartThreads, StartsAsManyAsItCan) {
  const auto sum_of = [](const std::function<void()>& at_third_copy) {
    int copies = 0;
    std::atomic<int64_t> sum = 0;
    const auto at_copy = [&] {
      if (++copies > 2) at_third_copy();
    };
    for (std::thread& thread : start_threads(4, Body(at_copy, sum))) thread.join();
    return sum.load();
  };
  EXPECT_EQ(sum_of([] { throw std::bad_alloc(); }), 1 + 2);
  EXPECT_EQ(sum_of([] { throw std::system_error(EAGAIN, std::system_category()); }), 1 + 2);
  EXPECT_EQ(sum_of([] {}), 1 + 2 + 3 + 4);
}

TEST_F(TeamTest, LeavesWhatIsThere) {
  {
    const TeamGuard guard;
    EXPECT_EQ(at::get_num_threads(), 2);
  }
  EXPECT_EQ(at::get_num_threads(), 2);
}

TEST_F(TeamTest, IsOneThreadInsideOfAParallelRegion) {
  std::atomic<int> most = 0;
  in_a_region([&] {
    const int before = at::get_num_threads();
    {
      const TeamGuard guard;
      most = std::max<int>(most, at::get_num_threads());
    }
    EXPECT_EQ(at::get_num_threads(), before);
  });
  EXPECT_EQ(most, 1);
}

TEST_F(TeamTest, PackedProductsAreWholeInsideAndOutsideOfAParallelRegion) {
  if (!nn::onednn::can_pack({})) GTEST_SKIP() << "LibTorch cannot pack weights here";
  const at::Tensor weight = at::randn({768, 512});
  const at::Tensor packed = nn::onednn::pack_linear(weight);
  const at::Tensor x = at::randn({77, 512});
  const at::Tensor expected = at::linear(x, weight);
  const auto is_whole = [&] {
    const TeamGuard team;
    const JobGuard guard;
    return at::allclose(nn::onednn::linear(x, packed, {}), expected, 1e-4, 1e-4);
  };
  EXPECT_TRUE(is_whole());
  std::atomic<int> whole = 0;
  in_a_region([&] { whole += is_whole() ? 1 : 0; });
  EXPECT_EQ(whole, 2);
  at::set_num_threads(1);
  EXPECT_TRUE(is_whole());
  at::set_num_threads(4);
  EXPECT_TRUE(is_whole());
}

TEST_F(TeamTest, KeepsANumberThatIsSetMeanwhile) {
  {
    const TeamGuard guard;
    at::set_num_threads(3);
  }
  EXPECT_EQ(at::get_num_threads(), 3);
}

TEST_F(TeamTest, IsRefusedWhereTheOthersStayedInTheParent) {
  { const TeamGuard guard; }
  const pid_t child = ::fork();
  if (child == 0) {
    ::alarm(20);
    int result = 1;
    try {
      const TeamGuard guard;
    } catch (const Error& error) {
      result = error.code() == ErrorCode::kIncompatible ? 0 : 2;
    }
    // A thread of the child's own has a team of its own.
    std::thread([&] {
      try {
        const TeamGuard guard;
      } catch (const Error&) {
        result = 3;
      }
    }).join();
    ::_exit(result);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 0);
}

}  // namespace
}  // namespace kandinsky::tensor
