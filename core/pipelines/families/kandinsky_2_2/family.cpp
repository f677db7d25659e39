#include "pipelines/families/kandinsky_2_2/family.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "io/model_dir.h"
#include "pipelines/embeds.h"
#include "pipelines/families/kandinsky_2/kind.h"
#include "pipelines/families/kandinsky_2/pipeline.h"
#include "pipelines/family.h"

namespace kandinsky::pipelines {
namespace {

/// By the pipeline's class: the decoders' folders hold the same components.
const char* role_of(const io::ModelDir& folder) {
  struct Class {
    std::string_view name;
    const char* role;
  };
  constexpr std::array kClasses{Class{"KandinskyV22PriorPipeline", "prior"},
                                Class{"KandinskyV22PriorEmb2EmbPipeline", "prior"},
                                Class{"KandinskyV22Pipeline", "model"},
                                Class{"KandinskyV22Img2ImgPipeline", "model"},
                                Class{"KandinskyV22InpaintPipeline", "inpaint"},
                                Class{"KandinskyV22ControlnetPipeline", "hint"},
                                Class{"KandinskyV22ControlnetImg2ImgPipeline", "hint"}};
  const auto found = std::ranges::find(kClasses, folder.pipeline_class(), &Class::name);
  return found == kClasses.end() ? "" : found->role;
}

/// By the longest common prefix of the names, then by the shorter name: the prior is
/// not "<model>-prior" here, and one inpainting model serves several decoders.
std::optional<std::pair<int64_t, int64_t>> nearness(std::string_view model,
                                                    std::string_view companion,
                                                    std::string_view /*role*/) {
  const auto common = std::ranges::mismatch(model, companion).in1 - model.begin();
  return std::pair<int64_t, int64_t>(common, -static_cast<int64_t>(companion.size()));
}

void check_embeds(const Embeds& embeds, const nn::UNetConfig& config, const char* which,
                  int64_t rows) {
  check_embeds_tensor(which, "image_embeds", embeds.at("image_embeds"),
                      {rows, config.image_embed_dim()});
}

nn::UNet::Conditioning condition(const nn::UNet& unet, const Embeds& embeds, int64_t row) {
  return unet.condition(embeds.at("image_embeds").slice(0, row, row + 1));
}

constexpr Kandinsky2Kind kKind{
    .title = "Kandinsky 2.2",
    .image_tokens = nn::ImageConditioning::kTokens,
    .rules = {.check_embeds = check_embeds,
              .num_tokens = [](const Embeds&, int64_t) { return nn::ImageConditioning::kTokens; },
              .condition = condition,
              .keeps_unmasked_noised = true},
    .role_of = role_of,
    .nearness = nearness,
    .usual_prior = [](const io::ModelDir&) { return std::string("kandinsky-2-2-prior"); }};

}  // namespace

Family kandinsky_2_2() { return family_of<kKind>("kandinsky-2-2"); }

}  // namespace kandinsky::pipelines
