#include "pipelines/denoise/conditioning_rows.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/isfinite.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "base/error.h"
#include "nn/unet/unet.h"
#include "options/types.h"
#include "pipelines/denoise/conditions.h"
#include "pipelines/denoise/unet_rules.h"
#include "pipelines/embeds.h"

namespace kandinsky::pipelines {
namespace {

/// 16 rows of usual length, of a family whose UNet reads texts.
constexpr int64_t kKeptTokens = 1400;

int64_t tokens_of(const nn::UNet::Conditioning& conditioning) {
  return conditioning.contexts.front().key.size(1);
}

Error invalid(const std::string& message) { return {ErrorCode::kInvalidArgument, message}; }

}  // namespace

void check_embeds_tensor(const char* which, const char* name, const at::Tensor& tensor,
                         const std::vector<int64_t>& expected) {
  if (tensor.sizes() != at::IntArrayRef(expected)) {
    throw invalid(fmt::format("{}: {} is [{}], but this model and batch need [{}]", which, name,
                              fmt::join(tensor.sizes(), ", "), fmt::join(expected, ", ")));
  }
  if (!tensor.isfinite().all().item<bool>())
    throw invalid(fmt::format("{}: {} has values that are not finite numbers", which, name));
}

void check_rows(const char* which, int64_t rows, const std::vector<Condition>& conditions) {
  for (const Condition& condition : conditions) {
    if (condition.row < rows) continue;
    throw invalid(fmt::format("{}: a condition uses row {}, but there are {} rows, counted from 0",
                              which, condition.row, rows));
  }
}

void check_embeds(const UNetRules& rules, const Embeds& embeds, const nn::UNetConfig& config,
                  const char* which, int64_t batch_size, const std::vector<Condition>& conditions) {
  const int64_t rows = conditions.empty() ? batch_size : embeds.batch_size();
  if (rows < 1 || rows > kMaxConditionRows) {
    throw invalid(
        fmt::format("{}: there are {} rows, expected 1 to {}", which, rows, kMaxConditionRows));
  }
  check_rows(which, rows, conditions);
  rules.check_embeds(embeds, config, which, rows);
}

bool are_pairs(const std::vector<int64_t>& num_tokens) {
  if (num_tokens.size() % 2 != 0) return false;
  for (size_t i = 0; i < num_tokens.size(); i += 2)
    if (num_tokens[i] != num_tokens[i + 1]) return false;
  return true;
}

int64_t ConditioningRows::most_tokens(int64_t rows, int64_t tokens) {
  return std::min(rows * tokens, kKeptTokens + static_cast<int64_t>(kSpares) * tokens);
}

nn::UNet::Conditioning ConditioningRows::at(int64_t row) {
  const std::lock_guard lock(mutex_);
  if (const auto found = rows_.find(row); found != rows_.end()) return found->second;
  const auto spare = std::ranges::find(spares_, row, &Spare::row);
  if (spare != spares_.end()) {
    next_spare_ = spare == spares_.begin() ? 1 : 0;
    return spare->conditioning;
  }
  nn::UNet::Conditioning conditioning = rules_.condition(unet_, embeds_, row);
  const int64_t tokens = tokens_of(conditioning);
  if (kept_tokens_ + tokens <= kKeptTokens) {
    kept_tokens_ += tokens;
    return rows_.emplace(row, std::move(conditioning)).first->second;
  }
  Spare& place = spares_[next_spare_];
  next_spare_ = 1 - next_spare_;
  place = {.row = row, .conditioning = std::move(conditioning)};
  return place.conditioning;
}

void ConditioningRows::forget_after(int step) {
  const std::lock_guard lock(mutex_);
  const bool keeps_rows = unet_.placement().speedups.context_kv_cache;
  std::erase_if(rows_, [&](const auto& kept) {
    const bool is_over = !keeps_rows || plan_.last_step(kept.first) <= step;
    if (is_over) kept_tokens_ -= tokens_of(kept.second);
    return is_over;
  });
  spares_ = {};
}

}  // namespace kandinsky::pipelines
