#pragma once

namespace kandinsky {

/// Where a job stands. step runs from 0 (nothing done yet) to steps (stage finished).
struct Progress {
  const char* stage = "";  ///< A literal such as "prior" or "denoise"; never null.
  int step = 0;            ///< Steps of this stage that are done.
  int steps = 0;           ///< Steps of this stage in all; 0 when that is not known.
};

/// What the listener wants next.
enum class ProgressAction : int {
  kContinue = 0,
  kSkip = 1,  ///< End this stage early and go on with what it has made so far.
  kStop = 2,  ///< Give the job up: the caller gets Error(kCancelled).
};

}  // namespace kandinsky
