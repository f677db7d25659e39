#pragma once

namespace kandinsky {

/// A job's progress. step runs from 0 (nothing done yet) to steps (stage finished).
struct Progress {
  const char* stage = "";  ///< A literal such as "prior" or "denoise"; never null.
  int step = 0;            ///< Finished steps of this stage.
  int steps = 0;           ///< All steps of this stage; 0 if unknown.
};

/// The listener's choice.
enum class ProgressAction : int {
  kContinue = 0,
  kSkip = 1,  ///< End this stage early and continue with its result so far.
  kStop = 2,  ///< Cancel the job: the caller gets Error(kCancelled).
};

}  // namespace kandinsky
