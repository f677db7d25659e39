#include "samplers/sampler.h"

#include <fmt/format.h>

#include "base/error.h"
#include "samplers/schedulers.h"

namespace kandinsky::samplers {

at::Tensor Sampler::sample(const SamplerInput& input) const {
  Levels all = levels(input.schedule, input.num_inference_steps, input.scheduler, input.sigmas);
  const SamplerStart& start = input.start;
  if (start.skipped_steps < 0 || start.skipped_steps >= input.num_inference_steps) {
    throw Error(
        ErrorCode::kInvalidArgument,
        fmt::format("skipped steps is {}; of {} steps 0 to {} can be skipped", start.skipped_steps,
                    input.num_inference_steps, input.num_inference_steps - 1));
  }
  if (start.init_latents.defined() && start.noised_latents.defined()) {
    throw Error(ErrorCode::kInvalidArgument,
                "both clean and noised start latents are given; give one");
  }
  all.erase(all.begin(), all.begin() + start.skipped_steps);
  return run(input, all);
}

Levels Sampler::levels(const NoiseSchedule& schedule, int num_inference_steps,
                       std::string_view scheduler, Span<const double> sigmas) const {
  const Scheduler& chosen = find_scheduler(scheduler);
  const int64_t limit = schedule.num_train_timesteps();
  if (num_inference_steps < 1 || num_inference_steps > limit) {
    throw Error(ErrorCode::kInvalidArgument, fmt::format("steps is {}; {} takes 1 to {} steps",
                                                         num_inference_steps, name, limit));
  }
  if (!sigmas.empty()) {
    if (sigmas.size() == static_cast<size_t>(num_inference_steps))
      return levels_at_sigmas(schedule, sigmas);
    throw Error(ErrorCode::kInvalidArgument,
                fmt::format("there are {} sigmas for {} steps; give as many, or leave the number "
                            "of steps out",
                            sigmas.size(), num_inference_steps));
  }
  const LevelsFunction function = chosen.levels_for(*this);
  if (!discards_next_to_last_sigma) return function(schedule, num_inference_steps);
  Levels levels = function(schedule, num_inference_steps + 1);
  levels.erase(levels.end() - 2);
  return levels;
}

void Sampler::check_steps(const NoiseSchedule& schedule, int num_inference_steps,
                          std::string_view scheduler, Span<const double> sigmas) const {
  levels(schedule, num_inference_steps, scheduler, sigmas);
}

}  // namespace kandinsky::samplers
