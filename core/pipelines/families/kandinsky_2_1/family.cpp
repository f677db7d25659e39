#include "pipelines/families/kandinsky_2_1/family.h"

#include <ATen/TensorOperators.h>
#include <fmt/format.h>

#include <cstdint>
#include <optional>
#include <string_view>

#include "base/error.h"
#include "io/model_dir.h"
#include "pipelines/embeds.h"
#include "pipelines/families/kandinsky_2/kind.h"
#include "pipelines/families/kandinsky_2/pipeline.h"
#include "pipelines/family.h"
#include "text/tokens.h"

namespace kandinsky::pipelines {
namespace {

constexpr const char* kHiddenStates = "text_encoder_hidden_states";
constexpr const char* kTextLengths = "text_lengths";

const char* role_of(const io::ModelDir& folder) {
  if (folder.pipeline_class() == "KandinskyPriorPipeline") return "prior";
  const io::ComponentInfo* const text_encoder = folder.find("text_encoder");
  const bool is_decoder = text_encoder != nullptr &&
                          text_encoder->class_name == "MultilingualCLIP" &&
                          folder.find("unet") != nullptr && folder.find("movq") != nullptr;
  if (!is_decoder) return "";
  return folder.pipeline_class().find("Inpaint") != std::string_view::npos ? "inpaint" : "model";
}

std::optional<std::pair<int64_t, int64_t>> nearness(std::string_view model,
                                                    std::string_view companion,
                                                    std::string_view role) {
  if (companion != fmt::format("{}-{}", model, role)) return std::nullopt;
  return std::pair<int64_t, int64_t>();
}

int64_t text_length(const Embeds& embeds, int64_t row) {
  const at::Tensor* const lengths = embeds.find(kTextLengths);
  return lengths != nullptr ? (*lengths)[row].item<int64_t>() : embeds.at(kHiddenStates).size(1);
}

void check_embeds(const Embeds& embeds, const nn::UNetConfig& config, const char* which,
                  int64_t rows) {
  for (const char* const name : {"image_embeds", "prompt_embeds"})
    check_embeds_tensor(which, name, embeds.at(name), {rows, config.cross_attention_dim});
  const at::Tensor& hidden_states = embeds.at(kHiddenStates);
  // Long prompts are read in chunks of the text encoder's length.
  const bool is_chunked = hidden_states.dim() == 3 && hidden_states.size(1) > 0 &&
                          hidden_states.size(1) % text::kDefaultMaxLength == 0;
  const int64_t length = is_chunked ? hidden_states.size(1) : text::kDefaultMaxLength;
  check_embeds_tensor(which, kHiddenStates, hidden_states, {rows, length, config.encoder_hid_dim});
  if (const at::Tensor* lengths = embeds.find(kTextLengths)) {
    check_embeds_tensor(which, kTextLengths, *lengths, {rows, 1});
    const at::Tensor fits =
        (*lengths >= 1) & (*lengths <= length) & (*lengths == lengths->to(at::kLong));
    if (!fits.all().item<bool>()) {
      throw Error(
          ErrorCode::kInvalidArgument,
          fmt::format("{}: {} must be whole numbers from 1 to {}", which, kTextLengths, length));
    }
  }
}

int64_t num_tokens(const Embeds& embeds, int64_t row) {
  return nn::TextImageConditioning::kImageTokens + text_length(embeds, row);
}

nn::UNet::Conditioning condition(const nn::UNet& unet, const Embeds& embeds, int64_t row) {
  const auto row_of = [&](const char* name) { return embeds.at(name).slice(0, row, row + 1); };
  return unet.condition(row_of("image_embeds"), row_of("prompt_embeds"),
                        row_of(kHiddenStates).slice(1, 0, text_length(embeds, row)));
}

constexpr Kandinsky2Kind kKind{
    .title = "Kandinsky 2.1",
    .image_tokens = nn::TextImageConditioning::kImageTokens,
    .has_decoder_text = true,
    .rules = {.check_embeds = check_embeds,
              .num_tokens = num_tokens,
              .condition = condition,
              .has_own_init_noise = true},
    .role_of = role_of,
    .nearness = nearness,
    .usual_prior = [](const io::ModelDir& model) { return fmt::format("{}-prior", model.name()); }};

}  // namespace

Family kandinsky_2_1() { return family_of<kKind>("kandinsky-2-1"); }

}  // namespace kandinsky::pipelines
