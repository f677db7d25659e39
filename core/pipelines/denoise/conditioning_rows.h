#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <mutex>
#include <vector>

#include "nn/unet/unet.h"
#include "options/types.h"
#include "pipelines/denoise/conditions.h"
#include "pipelines/denoise/unet_rules.h"
#include "pipelines/embeds.h"

namespace kandinsky::pipelines {

/// Throws Error(kInvalidArgument) for a condition with a row out of range. which: the embeds' name
/// in messages.
void check_rows(const char* which, int64_t rows, const std::vector<Condition>& conditions);

/// Throws Error(kInvalidArgument) unless the embeds fit this UNet: one row for each image or, with
/// conditions, up to kMaxConditionRows rows, including all rows of the conditions. which: the
/// embeds' name in messages.
void check_embeds(const UNetRules& rules, const Embeds& embeds, const nn::UNetConfig& config,
                  const char* which, int64_t batch_size, const std::vector<Condition>& conditions);

/// Whether contexts with these numbers of tokens form pairs of equal ones: the 1st and 2nd, 3rd and
/// 4th, and so on. The UNet computes a pair faster than two single ones, but not if they are mixed:
/// fp32 kernels are packed again whenever the number of maps changes.
bool are_pairs(const std::vector<int64_t>& num_tokens);

/// Rows of embeds as input of the UNet, each computed at its first use and kept for later
/// steps; a full-size row takes 17 MB in fp32. For large batches and long texts some are
/// computed again at each use, which takes little time compared with the UNet.
class ConditioningRows {
 public:
  /// The maximum number of tokens held at a time, for a number of rows with up to so many tokens.
  static int64_t most_tokens(int64_t rows, int64_t tokens);

  /// All arguments must outlive this object.
  ConditioningRows(const nn::UNet& unet, const UNetRules& rules, const Embeds& embeds,
                   const ConditionPlan& plan)
      : unet_(unet), rules_(rules), embeds_(embeds), plan_(plan) {}

  /// One row. From any thread.
  nn::UNet::Conditioning at(int64_t row);

  /// The number of tokens of a row.
  int64_t num_tokens(int64_t row) const { return rules_.num_tokens(embeds_, row); }

  /// Frees rows that no later step needs.
  void forget_after(int step);

 private:
  static constexpr size_t kSpares = 2;  ///< one pair at a time is guided
  struct Spare {
    int64_t row = -1;
    nn::UNet::Conditioning conditioning;
  };

  const nn::UNet& unet_;
  const UNetRules& rules_;
  const Embeds& embeds_;
  const ConditionPlan& plan_;
  std::mutex mutex_;  ///< of all members below
  std::map<int64_t, nn::UNet::Conditioning> rows_;
  int64_t kept_tokens_ = 0;
  std::array<Spare, kSpares> spares_;
  size_t next_spare_ = 0;
};

}  // namespace kandinsky::pipelines
