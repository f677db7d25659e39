#include "pipelines/denoise/conditioning_rows.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/isfinite.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "base/error.h"
#include "text/tokens.h"

namespace kandinsky::pipelines {
namespace {

constexpr const char* kHiddenStates = "text_encoder_hidden_states";
constexpr const char* kTextLengths = "text_lengths";

/// With the image's, the tokens of 16 rows of usual length.
constexpr int64_t kKeptTokens = 1400;

int64_t tokens_of(const nn::UNet::Conditioning& conditioning) {
  return conditioning.contexts.front().key.size(1);
}

Error invalid(const std::string& message) { return {ErrorCode::kInvalidArgument, message}; }

void check_shape(const char* which, const char* name, const at::Tensor& tensor,
                 const std::vector<int64_t>& expected) {
  if (tensor.sizes() != at::IntArrayRef(expected)) {
    throw invalid(fmt::format("{}: {} is [{}], but this model and batch need [{}]", which, name,
                              fmt::join(tensor.sizes(), ", "), fmt::join(expected, ", ")));
  }
  if (!tensor.isfinite().all().item<bool>())
    throw invalid(fmt::format("{}: {} has values that are not finite numbers", which, name));
}

}  // namespace

void check_rows(const char* which, int64_t rows, const std::vector<Condition>& conditions) {
  for (const Condition& condition : conditions) {
    if (condition.row < rows) continue;
    throw invalid(fmt::format("{}: a condition names row {}, but there are {}, counted from 0",
                              which, condition.row, rows));
  }
}

void check_embeds(const Embeds& embeds, const nn::UNetConfig& config, const char* which,
                  int64_t batch_size, const std::vector<Condition>& conditions) {
  const int64_t rows = conditions.empty() ? batch_size : embeds.batch_size();
  if (rows < 1 || rows > kMaxConditionRows) {
    throw invalid(
        fmt::format("{}: there are {} rows, expected 1 to {}", which, rows, kMaxConditionRows));
  }
  check_rows(which, rows, conditions);
  check_shape(which, "image_embeds", embeds.at("image_embeds"), {rows, config.cross_attention_dim});
  check_shape(which, "prompt_embeds", embeds.at("prompt_embeds"),
              {rows, config.cross_attention_dim});
  const at::Tensor& hidden_states = embeds.at(kHiddenStates);
  // Long prompts are read in chunks of the text encoder's length.
  const bool is_chunked = hidden_states.dim() == 3 && hidden_states.size(1) > 0 &&
                          hidden_states.size(1) % text::kDefaultMaxLength == 0;
  const int64_t length = is_chunked ? hidden_states.size(1) : text::kDefaultMaxLength;
  check_shape(which, kHiddenStates, hidden_states, {rows, length, config.encoder_hid_dim});
  if (const at::Tensor* lengths = embeds.find(kTextLengths)) {
    check_shape(which, kTextLengths, *lengths, {rows, 1});
    const at::Tensor fits =
        (*lengths >= 1) & (*lengths <= length) & (*lengths == lengths->to(at::kLong));
    if (!fits.all().item<bool>())
      throw invalid(
          fmt::format("{}: {} are not all whole numbers of 1 to {}", which, kTextLengths, length));
  }
}

bool are_pairs(const std::vector<int64_t>& lengths) {
  if (lengths.size() % 2 != 0) return false;
  for (size_t i = 0; i < lengths.size(); i += 2)
    if (lengths[i] != lengths[i + 1]) return false;
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
  nn::UNet::Conditioning conditioning = compute(row);
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

int64_t ConditioningRows::text_length(int64_t row) const {
  const at::Tensor* const lengths = embeds_.find(kTextLengths);
  return lengths != nullptr ? (*lengths)[row].item<int64_t>() : embeds_.at(kHiddenStates).size(1);
}

nn::UNet::Conditioning ConditioningRows::compute(int64_t row) const {
  const auto row_of = [&](const char* name) { return embeds_.at(name).slice(0, row, row + 1); };
  at::Tensor hidden_states = row_of(kHiddenStates);
  hidden_states = hidden_states.slice(1, 0, text_length(row));
  return unet_.condition(row_of("image_embeds"), row_of("prompt_embeds"), hidden_states);
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
