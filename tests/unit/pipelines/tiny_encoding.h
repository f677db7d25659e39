#pragma once

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "pipelines/families/families.h"
#include "tensor/device.h"
#include "unit/support.h"

namespace kandinsky::pipelines {

inline std::string tiny_folder(std::string_view path) {
  return std::string(KANDINSKY_TINY_MODELS_DIR "/") + std::string(path);
}

/// The tiny model, and what it told while it worked.
class TinyEncodingTest : public testing::Test {
 protected:
  /// without: names of speed-ups to leave out.
  static std::unique_ptr<Pipeline> open(const std::vector<std::string>& without = {}) {
    const io::ModelDir model = io::ModelDir::open(tiny_folder("tiny-2-1"));
    tensor::Placement placement;
    placement.speedups = tensor::speedups_without(without);
    return find_family(model)->open(model, {}, {placement, placement});
  }

  /// How often a stage began.
  int64_t began(std::string_view stage) const {
    return std::count(stages_.begin(), stages_.end(), stage);
  }

  PromptRequest request(const std::vector<std::string>& prompts, uint64_t seed = 1) const {
    PromptRequest request;
    request.prompts = prompts;
    for (size_t i = 0; i < prompts.size(); ++i) request.seeds.push_back(seed + i);
    request.prior_num_inference_steps = 3;
    return request;
  }

  Pipeline::EncodedPrompts encode(const PromptRequest& request) {
    stages_.clear();
    messages_.clear();
    pipeline_->check({.prompts = &request});
    return pipeline_->encode_prompts(request, monitor_);
  }

  tensor::JobGuard guard_;
  CancelFlag cancel_;
  std::vector<std::string> stages_;
  std::vector<std::string> messages_;
  Monitor monitor_{cancel_,
                   [this](const Progress& progress, const at::Tensor&) {
                     if (progress.step == 0) stages_.emplace_back(progress.stage);
                     return ProgressAction::kContinue;
                   },
                   [this](const std::string& message) { messages_.push_back(message); }};
  std::unique_ptr<Pipeline> pipeline_ = open();
};

/// Every bit of every tensor.
inline void expect_same(const Embeds& actual, const Embeds& expected) {
  ASSERT_EQ(actual.tensors.size(), expected.tensors.size());
  for (const auto& [name, tensor] : expected.tensors) {
    const at::Tensor* other = actual.find(name);
    ASSERT_NE(other, nullptr) << name;
    EXPECT_TRUE(other->equal(tensor)) << name;
  }
}

inline Embeds row(const Embeds& embeds, int64_t index) {
  return select_embeds(embeds, {&index, 1});
}

}  // namespace kandinsky::pipelines
