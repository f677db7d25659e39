#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <sstream>

#include "nn/unet/unet.h"
#include "parity/reference.h"
#include "samplers/sampler.h"
#include "samplers/schedulers.h"
#include "tensor/device.h"

namespace kandinsky::parity {
namespace {

using samplers::Denoiser;
using samplers::NoiseSchedule;

constexpr uint64_t kSeed = 20230403;  // of make_sampler_references.py

/// "<sampler>|<scheduler>|<steps>|<skipped steps>|<start>"
struct Case {
  explicit Case(const std::string& name) {
    std::istringstream stream(name);
    for (std::string& part : parts) std::getline(stream, part, '|');
  }
  std::array<std::string, 5> parts;
  const std::string& sampler() const { return parts[0]; }
  const std::string& scheduler() const { return parts[1]; }
  int steps() const { return std::stoi(parts[2]); }
  int skipped_steps() const { return std::stoi(parts[3]); }
  const std::string& start() const { return parts[4]; }
};

NoiseSchedule schedule() {
  NoiseSchedule schedule = NoiseSchedule::from_json(open_config("tiny-2-1", "scheduler"));
  // Hub folders have it, but their index does not name it.
  schedule.ddpm = samplers::DdpmConfig::from_json(
      io::JsonConfig::load(tiny_folder("tiny-2-1/ddpm_scheduler/scheduler_config.json")));
  return schedule;
}

NoiseSchedule schedule_2_2(const std::string& model) {
  return NoiseSchedule::from_json(open_config("tiny-2-2-" + model, "scheduler"));
}

/// Runs the case as recorded and compares the end and, if recorded, every prediction on the way.
void expect_recorded(const Reference& reference, const std::string& name,
                     const NoiseSchedule& schedule, const Denoiser& denoiser) {
  const Case recorded(name);
  const at::Tensor expected = reference.tensor(name + "/latents");
  const at::Tensor init = reference.tensor("shared/init_latents").slice(0, 0, expected.size(0));
  std::vector<uint64_t> seeds;
  for (int64_t row = 0; row < expected.size(0); ++row)
    seeds.push_back(kSeed + static_cast<uint64_t>(row));
  tensor::NoiseSource generator(seeds);
  samplers::SamplerStart start;
  start.skipped_steps = recorded.skipped_steps();
  if (recorded.start() == "init") start.init_latents = init;
  if (recorded.start() == "noised") start.noised_latents = init;

  std::vector<at::Tensor> clean;
  const samplers::StepObserver observer = [&](int step, const at::Tensor& pred_original_sample) {
    clean.push_back(pred_original_sample);
    EXPECT_EQ(static_cast<size_t>(step), clean.size()) << name;
    return true;
  };
  const at::Tensor noise = generator.draw_all(expected.sizes().slice(1));
  const at::Tensor latents = samplers::find_sampler(recorded.sampler())
                                 .sample({.schedule = schedule,
                                          .scheduler = recorded.scheduler(),
                                          .num_inference_steps = recorded.steps(),
                                          .start = start,
                                          .noise = noise,
                                          .generator = generator,
                                          .denoiser = denoiser,
                                          .observer = observer});
  EXPECT_EQ(clean.size(), static_cast<size_t>(recorded.steps() - recorded.skipped_steps())) << name;
  if (reference.has(name + "/clean"))
    expect_close(kSamplers, name + " on the way", at::stack(clean),
                 reference.tensor(name + "/clean"));
  expect_close(kSamplers, name, latents, expected);
}

class SamplerLoopsParity : public testing::TestWithParam<const samplers::Sampler*> {
 protected:
  static void expect_all_recorded(const Reference& reference, const NoiseSchedule& decoder,
                                  const Denoiser& denoiser) {
    const tensor::JobGuard guard;
    int runs = 0;
    for (const std::string& name : reference.cases()) {
      if (Case(name).sampler() != GetParam()->name) continue;
      expect_recorded(reference, name, decoder, denoiser);
      ++runs;
    }
    EXPECT_GT(runs, 0);
  }
};

std::vector<const samplers::Sampler*> every_sampler() {
  std::vector<const samplers::Sampler*> all;
  for (const samplers::Sampler& sampler : samplers::samplers()) all.push_back(&sampler);
  return all;
}

INSTANTIATE_TEST_SUITE_P(Table, SamplerLoopsParity, testing::ValuesIn(every_sampler()),
                         [](const auto& test) {
                           std::string name = test.param->name;
                           std::replace(name.begin(), name.end(), '+', 'p');
                           std::replace(name.begin(), name.end(), ' ', '_');
                           return name;
                         });

samplers::Prediction analytic_model(const at::Tensor& x, double t) {
  return {at::tanh(x) * 0.5 + t / 2000.0, at::tanh(x * 0.3)};
}

TEST_P(SamplerLoopsParity, AnalyticModel) {
  expect_all_recorded(Reference("samplers.analytic"), schedule(), analytic_model);
}

/// The decoder's config has other rules for DDIM and DDPM, that for inpainting for DDPM; the other
/// samplers do as with 2.1, and bound nothing.
TEST_P(SamplerLoopsParity, AnalyticModelWithKandinsky22) {
  const std::string_view name = GetParam()->name;
  const bool is_ddpm = name == "DDPM";
  expect_all_recorded(
      Reference(is_ddpm || name == "DDIM" ? "samplers_2_2.analytic" : "samplers.analytic"),
      schedule_2_2("decoder"), analytic_model);
  expect_all_recorded(Reference(is_ddpm ? "samplers_2_2_inpaint.analytic" : "samplers.analytic"),
                      schedule_2_2("decoder-inpaint"), analytic_model);
}

TEST_P(SamplerLoopsParity, TinyUnet) {
  const Reference reference("samplers.tiny-2-1");
  const Component component = open_component("tiny-2-1", "unet");
  const nn::UNet unet(nn::UNetConfig::from_json(component.config), component.weights);
  const auto conditioning = unet.condition(reference.tensor("shared/image_embeds"),
                                           reference.tensor("shared/prompt_embeds"),
                                           reference.tensor("shared/text_encoder_hidden_states"));
  expect_all_recorded(reference, schedule(), [&](const at::Tensor& x, double t) {
    const at::Tensor output = unet(x, t, conditioning);
    return samplers::Prediction{output.slice(1, 0, 4), output.slice(1, 4, 8)};
  });
}

/// A new row asks for a reference: each sampler with each scheduler, and each start.
TEST(SamplerTableParity, EveryRowHasReferences) {
  const Reference reference("samplers.analytic");
  for (const samplers::Sampler& sampler : samplers::samplers()) {
    const std::string name = std::string(sampler.name) + "|";
    for (const samplers::Scheduler& scheduler : samplers::schedulers()) {
      const bool is_of_diffusers = name == "DDIM|" || name == "DDPM|" || name == "UniPC|";
      // The loops of diffusers end at no noise, KL Optimal does not.
      if (is_of_diffusers && std::string_view(scheduler.name) == "KL Optimal") continue;
      const char* const steps =
          scheduler.sampler_levels == &samplers::Sampler::own_levels ? "6" : "7";
      const std::string recorded = name + scheduler.name + "|" + steps + "|0|noise/latents";
      EXPECT_TRUE(reference.has(recorded)) << recorded;
    }
    for (const char* rest : {"Automatic|1|0|noise", "Automatic|8|5|init", "Automatic|8|3|noised"})
      EXPECT_TRUE(reference.has(name + rest + "/latents")) << name + rest;
  }
}

/// Values printed from the host's formulas and the libraries' tables.
TEST(SamplerLevelsParity, SigmasOfSchedulersAndSamplers) {
  const Reference reference("sampler_levels.analytic");
  const NoiseSchedule decoder = schedule();
  for (const std::string& name : reference.cases()) {
    if (!reference.has(name + "/sigmas")) continue;
    const std::string which = name.substr(0, name.find('|'));
    const int steps = std::stoi(name.substr(name.find('|') + 1));
    const auto schedulers = samplers::schedulers();
    const auto scheduler = std::find_if(schedulers.begin(), schedulers.end(),
                                        [&](const auto& row) { return row.name == which; });
    const samplers::Levels levels = scheduler != schedulers.end()
                                        ? scheduler->levels(decoder, steps)
                                        : samplers::find_sampler(which).levels(decoder, steps);
    const at::Tensor expected = reference.tensor(name + "/sigmas");
    ASSERT_EQ(static_cast<int64_t>(levels.size()), expected.numel()) << name;
    for (size_t i = 0; i < levels.size(); ++i) {
      const auto sigma = expected[static_cast<int64_t>(i)].item<double>();
      EXPECT_NEAR(levels[i].sigma, sigma, kSigmas.relative * sigma) << name << " level " << i;
    }
  }
}

void expect_timesteps(const Reference& reference, const NoiseSchedule& decoder) {
  int compared = 0;
  for (const std::string& name : reference.cases()) {
    if (!reference.has(name + "/timesteps")) continue;
    const at::Tensor expected = reference.tensor(name + "/timesteps");
    const auto& sampler = samplers::find_sampler(name.substr(0, name.find('|')));
    const auto levels = sampler.levels(decoder, std::stoi(name.substr(name.find('|') + 1)));
    ASSERT_EQ(static_cast<int64_t>(levels.size()), expected.numel() + 1) << name;
    for (int64_t i = 0; i < expected.numel(); ++i) {
      EXPECT_EQ(levels[static_cast<size_t>(i)].timestep, expected[i].item<double>()) << name;
      ++compared;
    }
  }
  EXPECT_GT(compared, 1000);
}

TEST(SamplerLevelsParity, TimestepsOfSamplersThatUseTheTable) {
  expect_timesteps(Reference("sampler_levels.analytic"), schedule());
  expect_timesteps(Reference("sampler_levels_2_2.analytic"), schedule_2_2("decoder"));
}

}  // namespace
}  // namespace kandinsky::parity
