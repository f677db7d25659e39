#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <mutex>
#include <vector>

#include "nn/unet/unet.h"
#include "pipelines/denoise/conditions.h"
#include "pipelines/denoise/unet_rules.h"
#include "pipelines/embeds.h"

namespace kandinsky::pipelines {

/// Throws Error(kInvalidArgument) for a condition that names a row which is not there. which: what
/// messages call the embeds.
void check_rows(const char* which, int64_t rows, const std::vector<Condition>& conditions);

/// Throws Error(kInvalidArgument) unless the embeds have what this UNet needs: one row for each
/// image or, where there are conditions, up to kMaxConditionRows and all that those ask for.
/// which: what messages call the embeds.
void check_embeds(const UNetRules& rules, const Embeds& embeds, const nn::UNetConfig& config,
                  const char* which, int64_t batch_size, const std::vector<Condition>& conditions);

/// Whether contexts of so many tokens make pairs of equal ones: the 1st and 2nd, 3rd and 4th, and
/// so on. The UNet computes a pair faster than two, but not beside single ones: fp32
/// kernels are packed anew whenever the number of maps changes.
bool are_pairs(const std::vector<int64_t>& num_tokens);

/// Rows of embeds as the UNet takes them, each computed when it is first asked for and kept for the
/// steps to come; in full size one takes 17 MB in fp32. Of large batches and long texts some are
/// computed anew for each use, which takes little time beside the UNet's own.
class ConditioningRows {
 public:
  /// Of so many rows of up to so many tokens each, how many tokens are there at a time at most.
  static int64_t most_tokens(int64_t rows, int64_t tokens);

  /// All arguments outlive this object.
  ConditioningRows(const nn::UNet& unet, const UNetRules& rules, const Embeds& embeds,
                   const ConditionPlan& plan)
      : unet_(unet), rules_(rules), embeds_(embeds), plan_(plan) {}

  /// One row. From any thread.
  nn::UNet::Conditioning at(int64_t row);

  /// How many tokens a row has.
  int64_t num_tokens(int64_t row) const { return rules_.num_tokens(embeds_, row); }

  /// Frees rows that no step after this one asks for.
  void forget_after(int step);

 private:
  static constexpr size_t kSpares = 2;  ///< a pair is guided at a time
  struct Spare {
    int64_t row = -1;
    nn::UNet::Conditioning conditioning;
  };

  const nn::UNet& unet_;
  const UNetRules& rules_;
  const Embeds& embeds_;
  const ConditionPlan& plan_;
  std::mutex mutex_;  ///< of all that follows
  std::map<int64_t, nn::UNet::Conditioning> rows_;
  int64_t kept_tokens_ = 0;
  std::array<Spare, kSpares> spares_;
  size_t next_spare_ = 0;
};

}  // namespace kandinsky::pipelines
