#include "pipelines/monitor.h"

#include "base/error.h"
#include "base/progress.h"

namespace kandinsky::pipelines {

bool Monitor::report(const char* stage, int step, int steps, const at::Tensor& latents) const {
  cancel_.check();
  if (!on_step_) return true;
  const ProgressAction action = on_step_({.stage = stage, .step = step, .steps = steps}, latents);
  if (action == ProgressAction::kStop)
    throw Error(ErrorCode::kCancelled, "stopped by the progress callback");
  cancel_.check();
  return action != ProgressAction::kSkip;
}

}  // namespace kandinsky::pipelines
