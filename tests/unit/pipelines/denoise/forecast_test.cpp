/// Which steps are forecast, and from what.
#include "pipelines/denoise/forecast.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "pipelines/denoise/check_request.h"
#include "unit/pipelines/tiny_pipeline.h"
#include "unit/support.h"

namespace kandinsky::pipelines {
namespace {

DenoiseRequest request_of(int steps, size_t batch_size = 1) {
  DenoiseRequest request;
  request.sampler = "DDIM";
  request.forecast = true;
  request.num_inference_steps = steps;
  request.seeds.resize(batch_size);
  return request;
}

/// The steps, counted from 0, in which the network is asked.
std::vector<int> computed_steps(const DenoiseRequest& request) {
  Forecast forecast(request);
  std::vector<int> computed;
  for (int i = 0; i < request.num_running_steps(); ++i) {
    if (forecast.begin(0, i, {1}).defined()) continue;
    forecast.keep(0, i, at::zeros({1, 4, 2, 2}));
    computed.push_back(i);
  }
  return computed;
}

TEST(Forecast, ComputesThePublishedSteps) {
  EXPECT_EQ(computed_steps(request_of(20)),
            (std::vector<int>{0, 1, 2, 3, 5, 7, 10, 13, 17, 18, 19}));
  for (const auto& [steps, computed] :
       {std::pair{1, 1}, {4, 4}, {12, 8}, {15, 9}, {25, 13}, {30, 14}, {50, 19}})
    EXPECT_EQ(computed_steps(request_of(steps)).size(), static_cast<size_t>(computed)) << steps;
}

TEST(Forecast, TheScheduleCanBeSet) {
  DenoiseRequest request = request_of(12);
  request.forecast_warmup = 2;
  request.forecast_interval = 3;
  request.forecast_growth = 0;
  EXPECT_EQ(computed_steps(request), (std::vector<int>{0, 1, 4, 7, 10, 11}));
  request.forecast_interval = 1;
  EXPECT_EQ(computed_steps(request).size(), 12U);
  request = request_of(40);
  request.init_latents = at::zeros({1, 4, 8, 8});
  request.strength = 0.5;
  EXPECT_EQ(computed_steps(request).size(), 11U) << "of the 20 steps that run";
}

/// Without the polynomial: the line through the last two, half as far as they are apart.
TEST(Forecast, ExtrapolatesALine) {
  DenoiseRequest request = request_of(20);
  request.forecast_blend = 0;
  Forecast forecast(request);
  for (int i = 0; i < 4; ++i) {
    EXPECT_FALSE(forecast.begin(0, i, {1}).defined());
    forecast.keep(0, i, at::full({1, 4, 2, 2}, i));
  }
  EXPECT_TRUE(at::allclose(forecast.begin(0, 4, {1}), at::full({1, 4, 2, 2}, 3.5)));
}

/// Coefficients of the differences from the last prediction by ridge regression, then their value.
TEST(Forecast, FitsAPolynomial) {
  DenoiseRequest request = request_of(50);
  request.forecast_blend = 1;
  Forecast forecast(request);
  std::vector<int> steps;
  std::vector<at::Tensor> values;
  const auto chebyshev = [](int step) {
    const double x = 2.0 * step / 50.0 - 1.0;
    const double angle = std::acos(x);
    std::vector<double> row;
    for (int degree = 0; degree < 4; ++degree) row.push_back(std::cos(degree * angle));
    return at::tensor(row, at::kDouble);
  };
  int forecasts = 0;
  for (int i = 0; i < 50; ++i) {
    const at::Tensor actual = forecast.begin(0, i, {1});
    if (!actual.defined()) {
      values.push_back(random_tensor(static_cast<uint64_t>(i), {1, 4, 2, 2}));
      steps.push_back(i);
      forecast.keep(0, i, values.back());
      continue;
    }
    ++forecasts;
    const size_t first = values.size() > 6 ? values.size() - 6 : 0;
    std::vector<at::Tensor> rows;
    std::vector<at::Tensor> targets;
    for (size_t k = first; k < values.size(); ++k) {
      rows.push_back(chebyshev(steps[k]));
      targets.push_back((values[k] - values.back()).flatten().to(at::kDouble));
    }
    const at::Tensor basis = at::stack(rows);
    const at::Tensor coefficients =
        at::linalg_inv(basis.t().matmul(basis) + at::eye(4, at::kDouble))
            .matmul(basis.t())
            .matmul(at::stack(targets));
    const at::Tensor expected =
        chebyshev(i).matmul(coefficients).view({1, 4, 2, 2}) + values.back();
    EXPECT_TRUE(at::allclose(actual.to(at::kDouble), expected, 1e-4, 1e-5)) << i;
  }
  EXPECT_EQ(forecasts, 31);
}

TEST(Forecast, WhatDoesNotChangeStaysSo) {
  Forecast forecast(request_of(50));
  const at::Tensor value = random_tensor(1, {1, 4, 2, 2});
  for (int i = 0; i < 50; ++i) {
    const at::Tensor actual = forecast.begin(0, i, {1});
    if (actual.defined()) {
      EXPECT_TRUE(at::allclose(actual, value, 1e-5, 1e-5)) << i;
    } else {
      forecast.keep(0, i, value);
    }
  }
}

TEST(Forecast, OtherRowsBeginANewHistoryForTheirImageAlone) {
  Forecast forecast(request_of(40, 2));
  for (int i = 0; i < 4; ++i) {
    for (const int64_t image : {0, 1}) {
      ASSERT_FALSE(forecast.begin(image, i, {1}).defined());
      forecast.keep(image, i, at::zeros({1, 4, 2, 2}));
    }
  }
  EXPECT_FALSE(forecast.begin(0, 4, {2}).defined());
  EXPECT_TRUE(forecast.begin(1, 4, {1}).defined());
}

TEST(Forecast, OffItAsksForEveryStep) {
  DenoiseRequest request = request_of(20);
  request.forecast = false;
  EXPECT_EQ(computed_steps(request).size(), 20U);
}

class ForecastTest : public TinyPipelineTest {};

TEST_F(ForecastTest, AsksTheNetworkLessOftenAndStaysClose) {
  DenoiseRequest request = this->request();
  request.num_inference_steps = 20;
  const auto run = [&] {
    return denoise(request, rows_of(embeds_, 0, 1), rows_of(negative_embeds_, 0, 1));
  };
  const at::Tensor exact = run();
  request.forecast = true;
  const at::Tensor forecast = run();
  EXPECT_FALSE(forecast.equal(exact));
  EXPECT_LT((forecast - exact).norm().item<double>(), 0.3 * exact.norm().item<double>());
  request.forecast_interval = 1;
  request.forecast_growth = 0;
  EXPECT_TRUE(run().equal(exact)) << "every step is computed";
}

TEST_F(ForecastTest, RefusesWhatItCannotDo) {
  const auto refused = [&](const char* part, const std::function<void(DenoiseRequest&)>& spoil) {
    DenoiseRequest request = this->request();
    request.forecast = true;
    spoil(request);
    test::expect_error(ErrorCode::kInvalidArgument, part, [&] {
      denoise(request, rows_of(embeds_, 0, 1), rows_of(negative_embeds_, 0, 1));
    });
  };
  refused("not with Heun", [](DenoiseRequest& r) { r.sampler = "Heun"; });
  refused("DDIM, DDPM, Euler", [](DenoiseRequest& r) { r.sampler = "DPM++ SDE"; });
  refused("cache_interval", [](DenoiseRequest& r) { r.cache_interval = 2; });
}

}  // namespace
}  // namespace kandinsky::pipelines
