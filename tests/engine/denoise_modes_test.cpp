/// What every way to denoise promises alike: a seed means one image, and a job can be stopped.
#include <ATen/record_function.h>

#include <atomic>
#include <functional>
#include <memory>
#include <numeric>
#include <set>

#include "samplers/sampler.h"
#include "unit/pipelines/tiny_pipeline.h"
#include "unit/support.h"

namespace kandinsky::pipelines {
namespace {

struct Mode {
  std::string name;
  std::function<void(DenoiseRequest& request)> apply;
};

std::vector<Mode> modes() {
  const auto batch = [](const DenoiseRequest& r) { return static_cast<int64_t>(r.seeds.size()); };
  const auto start = [batch](DenoiseRequest& r) {
    r.init_latents = random_tensor(77, {3, 4, 8, 8}).slice(0, 0, batch(r)).clone();
    r.strength = 0.75;
  };
  const auto mask = [batch, start](DenoiseRequest& r) {
    start(r);
    r.mask = (random_tensor(78, {3, 1, 8, 8}).slice(0, 0, batch(r)) > 0.5).to(at::kFloat);
  };
  return {
      {"text", [](DenoiseRequest&) {}},
      {"without guidance", [](DenoiseRequest& r) { r.guidance_scale = 1.0; }},
      {"rescaled guidance", [](DenoiseRequest& r) { r.guidance_rescale = 0.7; }},
      {"guidance interval",
       [](DenoiseRequest& r) {
         r.guidance_start = 0.25;
         r.guidance_end = 0.75;
       }},
      {"adaptive guidance", [](DenoiseRequest& r) { r.guidance_threshold = 0.5; }},
      {"sigmas",
       [](DenoiseRequest& r) {
         r.sigmas = {20.0, 5.0, 1.5, 0.4};
       }},
      {"feature cache", [](DenoiseRequest& r) { r.cache_interval = 2; }},
      {"forecast",
       [](DenoiseRequest& r) {
         r.forecast = true;
         r.forecast_warmup = 2;
       }},
      {"tiling", [](DenoiseRequest& r) { r.tiling = true; }},
      {"variation",
       [](DenoiseRequest& r) {
         for (const uint64_t seed : r.seeds) r.variation_seeds.push_back(seed + 100);
         r.variation_strength = 0.4;
       }},
      {"seed resize",
       [](DenoiseRequest& r) {
         r.seed_resize_width = 128;
         r.seed_resize_height = 64;
       }},
      {"image", start},
      {"image with the reference's noise",
       [start](DenoiseRequest& r) {
         start(r);
         r.init_noise = InitNoise::kReference;
       }},
      {"mask, blended",
       [mask](DenoiseRequest& r) {
         mask(r);
         r.mask_method = MaskMethod::kBlend;
       }},
      {"mask, inpainting model", mask},
      {"conditions",
       [batch](DenoiseRequest& r) {
         for (int64_t i = 0; i < batch(r); ++i) {
           r.conditions.push_back({i, i, 1, 4, 0.8});
           r.conditions.push_back({2, i, 1, 2, 0.5});
           r.conditions.push_back({1, i, 2, 4, -0.3});
           r.negative_conditions.push_back({i, i, 1, 2});
           r.negative_conditions.push_back({0, i, 3, 4});
         }
       }},
  };
}

/// Some samplers run in all modes, the others in the one that a sampler could break most easily.
class DenoiseModesTest : public TinyPipelineTest {
 protected:
  /// One of each kind, for what the arithmetic of a sampler and a mode could break together.
  const std::set<std::string> of_each_kind_{"DDIM", "DDPM", "DPM++ SDE"};
  /// For what the loop around them does.
  const std::set<std::string> one_{"DDIM"};

  void for_each_mode(
      const std::set<std::string>& in_all_modes, int64_t batch_size,
      const std::function<void(const DenoiseRequest& request, const std::string& what)>& body) {
    for (const samplers::Sampler& sampler : samplers::samplers()) {
      for (const Mode& mode : modes()) {
        if (!in_all_modes.contains(sampler.name) && mode.name != "mask, blended") continue;
        DenoiseRequest request = TinyPipelineTest::request(batch_size);
        request.sampler = sampler.name;
        mode.apply(request);
        const bool has_sampler = request.init_noise == InitNoise::kMatched ||
                                 request.sampler == "DDIM" || request.sampler == "DDPM";
        if (request.forecast && sampler.model_calls != 1) continue;
        if (has_sampler) body(request, mode.name + ", " + request.sampler);
      }
    }
  }

  /// Embeds have three rows where conditions name them, else one for each image.
  at::Tensor run(const DenoiseRequest& request) {
    const auto rows =
        request.conditions.empty() ? static_cast<int64_t>(request.seeds.size()) : int64_t{3};
    return denoise(request, rows_of(embeds_, 0, rows), rows_of(negative_embeds_, 0, rows));
  }
};

TEST_F(DenoiseModesTest, AnImageDoesNotDependOnItsNeighbours) {
  for_each_mode(of_each_kind_, 2, [&](const DenoiseRequest& batch, const std::string& what) {
    const at::Tensor together = run(batch);
    ASSERT_TRUE(together.isfinite().all().item<bool>()) << what;
    DenoiseRequest alone = batch;
    const auto row = [](at::Tensor& tensor) {
      if (tensor.defined()) tensor = tensor.slice(0, 1, 2);
    };
    alone.seeds = {batch.seeds[1]};
    if (!batch.variation_seeds.empty()) alone.variation_seeds = {batch.variation_seeds[1]};
    row(alone.init_latents);
    row(alone.mask);
    const auto of_last = [](std::vector<Condition>& conditions) {
      std::erase_if(conditions, [](const Condition& c) { return c.image != 1; });
      for (Condition& condition : conditions) condition.image = 0;
    };
    of_last(alone.conditions);
    of_last(alone.negative_conditions);
    const at::Tensor single = batch.conditions.empty() ? denoise(alone, rows_of(embeds_, 1, 1),
                                                                 rows_of(negative_embeds_, 1, 1))
                                                       : run(alone);
    EXPECT_TRUE(together.slice(0, 1, 2).equal(single)) << what;
    EXPECT_FALSE(together.slice(0, 0, 1).equal(single)) << what;
  });
}

TEST_F(DenoiseModesTest, ImagesAtOnceAreThoseOfOneAfterAnother) {
  static std::atomic<int64_t> operators_at_once;
  at::addGlobalCallback(at::RecordFunctionCallback(
      [](const at::RecordFunction&) -> std::unique_ptr<at::ObserverContext> {
        if (at::in_parallel_region()) ++operators_at_once;
        return nullptr;
      }));
  const Monitor monitor(cancel_, {}, {});
  const auto at_once = [&](const DenoiseRequest& batch, const auto& work) {
    operators_at_once = 0;
    at::set_num_threads(2);
    Job job = job_of(batch);
    job.decodes = true;
    pipeline_->plan_memory(job, 0, monitor);
    const at::Tensor result = work();
    at::set_num_threads(1);
#ifdef KANDINSKY_OPENMP
    EXPECT_GT(operators_at_once, 0) << "they ran one after another";
#endif
    return result;
  };
  for_each_mode(one_, 2, [&](const DenoiseRequest& batch, const std::string& what) {
    EXPECT_TRUE(at_once(batch, [&] { return run(batch); }).equal(run(batch))) << what;
  });
  for (const bool tiling : {false, true}) {
    const auto decode = [&] { return pipeline_->decode(init_latents(2), tiling, monitor); };
    EXPECT_TRUE(at_once(request(2), decode).equal(decode())) << tiling;
  }
  at::clearCallbacks();
}

TEST_F(DenoiseModesTest, CountsTheStepsThatRunCanBeStoppedAtEachAndGeneratesOn) {
  for_each_mode(one_, 1, [&](const DenoiseRequest& request, const std::string& what) {
    std::vector<int> steps;
    on_step_ = [&](const Progress& progress, const at::Tensor&) {
      if (std::string_view(progress.stage) == "denoise") {
        steps.push_back(progress.step);
        EXPECT_EQ(progress.steps, request.num_running_steps()) << what;
      }
      return ProgressAction::kContinue;
    };
    const at::Tensor expected = run(request);
    std::vector<int> all_steps(static_cast<size_t>(request.num_running_steps()) + 1);
    std::iota(all_steps.begin(), all_steps.end(), 0);
    EXPECT_EQ(steps, all_steps) << what;

    for (int stop = 0; stop <= request.num_running_steps(); ++stop) {
      on_step_ = [stop](const Progress& progress, const at::Tensor&) {
        const bool here = std::string_view(progress.stage) == "denoise" && progress.step == stop;
        return here ? ProgressAction::kStop : ProgressAction::kContinue;
      };
      test::expect_error(ErrorCode::kCancelled, "", [&] { run(request); });
      on_step_ = nullptr;
    }
    EXPECT_TRUE(run(request).equal(expected)) << what;
  });
}

TEST_F(DenoiseModesTest, CanBeFinishedAtEveryStep) {
  for_each_mode(one_, 1, [&](const DenoiseRequest& request, const std::string& what) {
    for (int last = 1; last <= request.num_running_steps(); ++last) {
      int calls = 0;
      at::Tensor preview;
      on_step_ = [&](const Progress& progress, const at::Tensor& latents) {
        if (std::string_view(progress.stage) != "denoise") return ProgressAction::kContinue;
        ++calls;
        preview = latents;
        return progress.step == last ? ProgressAction::kSkip : ProgressAction::kContinue;
      };
      const at::Tensor latents = run(request);
      on_step_ = nullptr;
      EXPECT_EQ(calls, last + 1) << what;
      EXPECT_TRUE(latents.isfinite().all().item<bool>()) << what;
      EXPECT_EQ(latents.sizes(), preview.sizes()) << what;
      // A mask is generated around once more at the end.
      EXPECT_TRUE(request.mask.defined() || latents.equal(preview)) << what;
    }
  });
}

}  // namespace
}  // namespace kandinsky::pipelines
