#include "base/cancel.h"

#include <thread>

#include "unit/support.h"

namespace kandinsky {
namespace {

TEST(Cancel, ChecksOnlyThrowBetweenRequestAndClear) {
  CancelFlag flag;
  EXPECT_NO_THROW(flag.check());
  flag.request();
  EXPECT_TRUE(flag.requested());
  test::expect_error(ErrorCode::kCancelled, "stopped", [&] { flag.check(); });
  flag.clear();
  EXPECT_NO_THROW(flag.check());
}

TEST(Cancel, ReachesAnotherThread) {
  CancelFlag flag;
  std::thread worker([&] {
    while (!flag.requested()) std::this_thread::yield();
  });
  flag.request();
  worker.join();
  EXPECT_TRUE(flag.requested());
}

}  // namespace
}  // namespace kandinsky
