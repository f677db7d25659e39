#include "base/progress.h"

#include <gtest/gtest.h>

namespace kandinsky {
namespace {

TEST(Progress, NobodyListeningMeansGoOn) {
  EXPECT_EQ(report_progress({}, {"prior", 1, 5}), ProgressAction::kContinue);
}

TEST(Progress, TheListenersAnswerComesBack) {
  int seen = 0;
  const ProgressSink sink = [&](const Progress& progress) {
    seen = progress.step;
    return progress.step == 3 ? ProgressAction::kStop : ProgressAction::kSkip;
  };
  EXPECT_EQ(report_progress(sink, {"prior", 2, 5}), ProgressAction::kSkip);
  EXPECT_EQ(report_progress(sink, {"prior", 3, 5}), ProgressAction::kStop);
  EXPECT_EQ(seen, 3);
}

}  // namespace
}  // namespace kandinsky
