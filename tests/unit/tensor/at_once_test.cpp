/// Independent pieces of work, each on a thread of its own.
#include "tensor/at_once.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <chrono>
#include <mutex>
#include <set>
#include <stdexcept>
#include <thread>
#include <vector>

#include "tensor/device.h"
#include "tensor/run_context.h"

namespace kandinsky::tensor {
namespace {

using std::chrono::seconds;

class AtOnceTest : public testing::Test {
 protected:
  AtOnceTest() { at::set_num_threads(2); }
  void SetUp() override {
#ifdef KANDINSKY_OPENMP
    ASSERT_EQ(most_at_once(2, 2), 2) << "the build has OpenMP, but at_once.cpp does not use it";
#else
    GTEST_SKIP() << "built without LibTorch's OpenMP: our own loops use one thread";
#endif
  }
  ~AtOnceTest() override { at::set_num_threads(threads_); }

  /// Runs `count` pieces; returns how many were done after each group.
  static std::vector<int64_t> groups(int64_t count, const std::function<void(int64_t)>& piece) {
    std::vector<int64_t> done;
    each_at_once(count, piece, [&](int64_t so_far) { done.push_back(so_far); });
    return done;
  }

  const int threads_ = at::get_num_threads();
};

RunScope at_once(int64_t most) {
  return RunScope([&](RunContext& context) { context.images_at_once = most; });
}

TEST(PiecesAtOnce, TakesTheLeastTime) {
  struct Case {
    int64_t count;
    int64_t threads;
    int64_t at_once;
    int64_t most = 1000;
  };
  for (const Case& c :
       {Case{1, 1, 1},    Case{9, 1, 1},    Case{1, 8, 1},    Case{2, 2, 2},    Case{3, 2, 2},
        Case{2, 4, 2},    Case{3, 4, 2},    Case{4, 4, 4},    Case{6, 4, 4},    Case{3, 8, 3},
        Case{4, 8, 4},    Case{5, 8, 4},    Case{8, 8, 8},    Case{1000, 8, 8}, Case{2, 64, 2},
        Case{8, 8, 1, 1}, Case{8, 8, 4, 7}, Case{8, 8, 2, 3}, Case{3, 8, 2, 2}, Case{1000, 8, 4, 6},
        Case{3, 2, 1, 0}}) {
    EXPECT_EQ(pieces_at_once(c.count, c.threads, c.most), c.at_once)
        << c.count << " on " << c.threads << ", " << c.most << " at most";
  }
}

TEST_F(AtOnceTest, GroupsHaveAsManyAsThereAreThreads) {
  const RunScope scope = at_once(8);
  std::atomic<int64_t> sum = 0;
  EXPECT_EQ(groups(5, [&](int64_t i) { sum += 1 + i; }), (std::vector<int64_t>{2, 4, 5}));
  EXPECT_EQ(sum, 15);
  EXPECT_EQ(groups(0, [](int64_t) { FAIL(); }), std::vector<int64_t>());
  EXPECT_EQ(most_at_once(5, 8), 2);
  EXPECT_EQ(most_at_once(1, 8), 1);
  at::set_num_threads(4);
  EXPECT_EQ(groups(3, [](int64_t) {}), (std::vector<int64_t>{2, 3}));
  const RunScope less_memory = at_once(3);
  EXPECT_EQ(groups(4, [](int64_t) {}), (std::vector<int64_t>{2, 4}));
}

TEST_F(AtOnceTest, FewerPiecesThanThreadsGetTeams) {
  const RunScope scope = at_once(8);
  const JobGuard job;
  std::atomic<int> checks = 0;
  const RunScope inner([&](RunContext& context) { context.check = [&] { ++checks; }; });
  at::set_num_threads(5);
  std::atomic<int> begun = 0;
  std::array<at::Tensor, 2> sums;
  const auto sum = [] { return at::sin(at::arange(1 << 20, at::kFloat)).cumsum(0); };
  EXPECT_EQ(groups(2,
                   [&](int64_t i) {
                     ++begun;
                     const auto deadline = std::chrono::steady_clock::now() + seconds(30);
                     while (begun < 2 && std::chrono::steady_clock::now() < deadline)
                       std::this_thread::yield();
                     EXPECT_EQ(begun, 2) << "one waited for the other";
                     EXPECT_EQ(at::get_num_threads(), 2);
                     EXPECT_FALSE(at::in_parallel_region());
                     EXPECT_TRUE(c10::InferenceMode::is_enabled());
                     end_block();
                     sums[static_cast<size_t>(i)] = sum();
                   }),
            std::vector<int64_t>{2});
  EXPECT_EQ(checks, 2);
  EXPECT_EQ(at::get_num_threads(), 5);
  for (const at::Tensor& one : sums) EXPECT_TRUE(one.equal(sum()));
}

TEST_F(AtOnceTest, AnErrorInATeamEndsTheOthersAndComesOut) {
  const RunScope scope = at_once(8);
  at::set_num_threads(4);
  std::atomic<bool> was_ended = false;
  const auto run = [&](int64_t failing) {
    was_ended = false;
    each_at_once(2, [&](int64_t i) {
      if (i == failing) throw std::domain_error("mine");
      const auto deadline = std::chrono::steady_clock::now() + seconds(30);
      try {
        while (std::chrono::steady_clock::now() < deadline) end_block();
      } catch (...) {
        was_ended = true;
        throw;
      }
    });
  };
  for (const int64_t failing : {0, 1}) {
    EXPECT_THROW(run(failing), std::domain_error);
    EXPECT_TRUE(was_ended);
  }
  EXPECT_EQ(at::get_num_threads(), 4);
}

TEST_F(AtOnceTest, WithoutMemoryOneFollowsTheOther) {
  std::vector<int64_t> order;
  const auto piece = [&](int64_t i) { order.push_back(i); };
  EXPECT_EQ(groups(3, piece), (std::vector<int64_t>{1, 2, 3}));
  {
    const RunScope outer = at_once(8);
    const RunScope scope = at_once(1);
    EXPECT_EQ(groups(2, piece), (std::vector<int64_t>{1, 2}));
  }
  EXPECT_EQ(order, (std::vector<int64_t>{0, 1, 2, 0, 1}));
}

TEST_F(AtOnceTest, TheyRunAtTheSameTimeAndHaveOneThreadEach) {
  const RunScope scope = at_once(8);
  std::mutex mutex;
  std::set<std::thread::id> threads;
  std::atomic<int> begun = 0;
  each_at_once(2, [&](int64_t) {
    ++begun;
    const auto deadline = std::chrono::steady_clock::now() + seconds(30);
    while (begun < 2 && std::chrono::steady_clock::now() < deadline) std::this_thread::yield();
    EXPECT_EQ(begun, 2) << "one waited for the other";
    EXPECT_TRUE(at::in_parallel_region());
    EXPECT_EQ(most_at_once(8, 8), 1);
    const std::lock_guard lock(mutex);
    threads.insert(std::this_thread::get_id());
  });
  EXPECT_EQ(threads.size(), 2U);
}

TEST_F(AtOnceTest, TheThreadsRunUnderTheCallersContextAndState) {
  const RunScope scope = at_once(8);
  const JobGuard job;
  std::atomic<int> checks = 0;
  const RunScope inner([&](RunContext& context) {
    context.arena = make_arena();
    context.check = [&] { ++checks; };
    context.low_memory = true;
  });
  std::vector<at::Tensor> maps(2);
  each_at_once(2, [&](int64_t i) {
    EXPECT_TRUE(c10::InferenceMode::is_enabled());
    EXPECT_TRUE(run_context().low_memory);
    end_block();
    maps[static_cast<size_t>(i)] = recycled({1 << 20}, at::kFloat);
  });
  EXPECT_EQ(checks, 2);
  std::set<const void*> memory{maps[0].data_ptr(), maps[1].data_ptr()};
  EXPECT_EQ(memory.size(), 2U);
  maps.clear();
  const at::Tensor next = recycled({1 << 20}, at::kFloat);
  EXPECT_TRUE(memory.contains(next.data_ptr())) << "what another thread leaves is found, too";
}

TEST_F(AtOnceTest, TheFirstErrorEndsTheOthersAndComesOut) {
  const RunScope scope = at_once(8);
  std::atomic<bool> was_ended = false;
  std::atomic<bool> has_thrown = false;
  const auto run = [&] {
    each_at_once(4, [&](int64_t i) {
      ASSERT_LT(i, 2) << "the next group does not begin";
      if (i == 1) {
        has_thrown = true;
        throw std::domain_error("mine");
      }
      while (!has_thrown) std::this_thread::yield();
      const auto deadline = std::chrono::steady_clock::now() + seconds(30);
      try {
        while (std::chrono::steady_clock::now() < deadline) end_block();
      } catch (...) {
        was_ended = true;
        throw;
      }
    });
  };
  EXPECT_THROW(run(), std::domain_error);
  EXPECT_TRUE(was_ended);
  EXPECT_NO_THROW(end_block());
  EXPECT_EQ(groups(2, [](int64_t) {}), (std::vector<int64_t>{2}));
}

}  // namespace
}  // namespace kandinsky::tensor
