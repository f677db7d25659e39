#pragma once

#include <cstdint>
#include <map>
#include <vector>

#include "nn/unet/unet.h"
#include "pipelines/conditions.h"
#include "pipelines/embeds.h"

namespace kandinsky::pipelines {

/// Throws Error(kInvalidArgument) unless the embeds have what this UNet needs: one row for each
/// picture or, where there are conditions, up to kMaxConditionRows and all that those ask for.
/// which: what messages call the embeds.
void check_embeds(const Embeds& embeds, const nn::UNetConfig& config, const char* which,
                  int64_t batch_size, const std::vector<Condition>& conditions);

/// Rows of embeds as the UNet takes them, each computed when it is first asked for.
class ConditioningRows {
 public:
  /// All arguments outlive this object.
  ConditioningRows(const nn::UNet& unet, const Embeds& embeds, const ConditionPlan& plan)
      : unet_(unet), embeds_(embeds), plan_(plan) {}

  /// One row; valid until it is forgotten.
  const nn::UNet::Conditioning& at(int64_t row);

  /// Frees rows that no step after this one asks for: a full-size one takes 17 MB in fp32.
  void forget_after(int step);

 private:
  const nn::UNet& unet_;
  const Embeds& embeds_;
  const ConditionPlan& plan_;
  std::map<int64_t, nn::UNet::Conditioning> rows_;
};

}  // namespace kandinsky::pipelines
