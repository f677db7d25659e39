#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "parity/reference.h"
#include "samplers/sampler.h"
#include "samplers/unclip.h"
#include "tensor/bridge.h"
#include "tensor/device.h"
#include "tensor/noise.h"

namespace kandinsky::parity {
namespace {

using samplers::NoiseSchedule;
using samplers::UnclipSchedule;

/// "steps_20" -> 20
int steps_of(const std::string& name) { return std::stoi(name.substr(name.find('_') + 1)); }

TEST(SamplersParity, NoiseIsTheReferenceGenerators) {
  const Reference reference("noise.generator");
  for (const std::string& name : reference.cases()) {
    tensor::NoiseSource source({static_cast<uint64_t>(reference.integer(name + "/seed"))});
    for (const char* draw : {"/first", "/second"}) {
      const at::Tensor expected = reference.tensor(name + draw);
      expect_equal(name + draw, source.draw(0, expected.sizes()), expected);
    }
  }
}

TEST(SamplersParity, DdimTimesteps) {
  const Reference reference("ddim.analytic");
  const NoiseSchedule schedule = NoiseSchedule::from_json(open_config("tiny-2-1", "scheduler"));
  for (const std::string& name : reference.cases()) {
    std::vector<int64_t> timesteps;
    for (const samplers::Level& level :
         samplers::find_sampler("DDIM").levels(schedule, steps_of(name)))
      timesteps.push_back(static_cast<int64_t>(level.timestep));
    timesteps.pop_back();  // the clean end
    expect_equal(name, tensor::from_ids(timesteps).squeeze(0),
                 reference.tensor(name + "/timesteps"));
  }
}

TEST(SamplersParity, DdimTrajectory) {
  const tensor::JobGuard guard;
  const Reference reference("ddim.analytic");
  const NoiseSchedule schedule = NoiseSchedule::from_json(open_config("tiny-2-1", "scheduler"));
  for (const std::string& name : reference.cases()) {
    if (!reference.has(name + "/latents_start")) continue;
    const int steps = steps_of(name);
    int calls = 0;
    const samplers::Denoiser denoiser = [&](const at::Tensor& x, double t) {
      const std::string after = name + "/latents_after_" + std::to_string(calls++);
      if (reference.has(after)) expect_close(kDdim, after, x, reference.tensor(after));
      return samplers::Prediction{at::tanh(x) * 0.5 + t / 2000.0, at::Tensor()};
    };
    const samplers::StepObserver observer = [](int, const at::Tensor&) { return true; };
    tensor::NoiseSource generator({0});
    const at::Tensor noise = reference.tensor(name + "/latents_start");
    const at::Tensor latents = samplers::find_sampler("DDIM").sample({.schedule = schedule,
                                                                      .num_inference_steps = steps,
                                                                      .noise = noise,
                                                                      .generator = generator,
                                                                      .denoiser = denoiser,
                                                                      .observer = observer});
    const std::string last = name + "/latents_after_" + std::to_string(steps);
    expect_close(kDdim, last, latents, reference.tensor(last));
    EXPECT_EQ(calls, steps);
  }
}

TEST(SamplersParity, UnclipTimesteps) {
  const Reference reference("unclip.analytic");
  const UnclipSchedule schedule =
      UnclipSchedule::from_json(open_config("tiny-2-1-prior", "scheduler"));
  for (const std::string& name : reference.cases()) {
    const std::vector<int64_t> timesteps = samplers::unclip_timesteps(schedule, steps_of(name));
    expect_equal(name, tensor::from_ids(timesteps).squeeze(0),
                 reference.tensor(name + "/timesteps"));
  }
}

TEST(SamplersParity, UnclipTrajectory) {
  const tensor::JobGuard guard;
  const Reference reference("unclip.analytic");
  const UnclipSchedule schedule =
      UnclipSchedule::from_json(open_config("tiny-2-1-prior", "scheduler"));
  for (const std::string& name : reference.cases()) {
    if (!reference.has(name + "/noise")) continue;
    const int steps = steps_of(name);
    const at::Tensor noise = reference.tensor(name + "/noise");
    const at::Tensor latents_after = reference.tensor(name + "/latents_after");
    int64_t draws = 0;
    int64_t calls = 0;
    const samplers::NoiseDraw draw = [&] { return noise[draws++].clone(); };
    const samplers::CleanPredictor predictor = [&](const at::Tensor& x, double t) {
      const at::Tensor expected = calls == 0 ? noise[0] : latents_after[calls - 1];
      expect_close(kUnclip, name + " before step " + std::to_string(calls++), x, expected);
      return at::tanh(x * 0.7) * 12.0 + t / 1000.0;
    };
    const samplers::StepObserver observer = [](int, const at::Tensor&) { return true; };
    const at::Tensor latents = samplers::sample_unclip(schedule, {.num_inference_steps = steps},
                                                       draw, predictor, observer);
    expect_close(kUnclip, name + " at the end", latents, latents_after[steps - 1]);
    EXPECT_EQ(calls, steps);
    EXPECT_EQ(draws, noise.size(0));
  }
}

}  // namespace
}  // namespace kandinsky::parity
