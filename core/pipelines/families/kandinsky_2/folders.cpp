#include "pipelines/families/kandinsky_2/folders.h"

#include <fmt/format.h>

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/span.h"
#include "io/json_config.h"
#include "io/model_dir.h"
#include "nn/config_checks.h"
#include "nn/encoders/clip_text.h"
#include "nn/encoders/clip_vision.h"
#include "nn/encoders/mclip.h"
#include "nn/movq/movq.h"
#include "nn/movq/movq_config.h"
#include "nn/prior/prior_transformer.h"
#include "nn/unet/hint_network.h"
#include "nn/unet/unet.h"
#include "options/types.h"
#include "pipelines/denoise/run_unet.h"
#include "pipelines/families/kandinsky_2/kind.h"
#include "pipelines/images/encode_images.h"
#include "pipelines/memory/component.h"
#include "samplers/ddpm_config.h"
#include "samplers/noise_schedule.h"
#include "samplers/unclip.h"
#include "tensor/weights.h"
#include "text/clip_bpe.h"
#include "text/tokens.h"
#include "text/xlmr_unigram.h"

namespace kandinsky::pipelines {
namespace {

struct Width {
  const io::ModelDir& folder;
  const char* component;
  const char* key;
  int64_t fallback;
};

int64_t read(const Width& width) {
  return width.folder.config(width.component).get_int(width.key, width.fallback);
}

/// Only the UNet of an inpainting folder is used, with the model's own text encoder and MoVQ: the
/// three were trained once, and the folder repeats them. So it has to fit them like the model's
/// UNet does, and to expect the same noise.
void check_inpaint(const Kandinsky2Kind& kind, const io::ModelDir& model,
                   const io::ModelDir& inpaint) {
  if (*kind.role_of(inpaint) == '\0') {
    throw Error(ErrorCode::kIncompatible,
                fmt::format("{} is not a {} inpainting model: its model_index.json has {}",
                            inpaint.path(), kind.title, inpaint.pipeline_class()));
  }
  if (!is_inpainting_dir(inpaint)) {
    throw Error(ErrorCode::kInvalidArgument,
                fmt::format("{} is not an inpainting model: its unet has {} input channels",
                            inpaint.path(), read({inpaint, "unet", "in_channels", 4})));
  }
  const nn::UNetConfig expected = nn::UNetConfig::from_json(model.config("unet"));
  const nn::UNetConfig actual = nn::UNetConfig::from_json(inpaint.config("unet"));
  check_unet(kind, inpaint, actual, nn::MovqConfig::from_json(inpaint.config("movq")));
  const auto schedule = samplers::NoiseSchedule::from_json(model.config("scheduler"));
  const auto inpaint_schedule = samplers::NoiseSchedule::from_json(inpaint.config("scheduler"));
  const char* differing = nullptr;
  if (actual.cross_attention_dim != expected.cross_attention_dim)
    differing = "\"cross_attention_dim\" of unet";
  else if (actual.encoder_hid_dim != expected.encoder_hid_dim)
    differing = "\"encoder_hid_dim\" of unet";
  else if (actual.block_out_channels.size() != expected.block_out_channels.size())
    differing = "the number of \"block_out_channels\" of unet";
  else if (nn::MovqConfig::from_json(inpaint.config("movq")).latent_channels !=
           nn::MovqConfig::from_json(model.config("movq")).latent_channels)
    differing = "\"latent_channels\" of movq";
  else if (inpaint_schedule.alphas_cumprod != schedule.alphas_cumprod ||
           inpaint_schedule.steps_offset != schedule.steps_offset ||
           inpaint_schedule.final_alpha_cumprod != schedule.final_alpha_cumprod)
    differing = "the noise schedule of scheduler";
  if (differing != nullptr) {
    throw Error(ErrorCode::kIncompatible,
                fmt::format("{} and {} do not fit each other: {} is not the same", model.path(),
                            inpaint.path(), differing));
  }
}

/// Whether the weights are there that a folder of this role is opened for.
bool has_weights(const io::ModelDir& folder, std::string_view role) {
  std::vector<const char*> components{"unet"};
  if (role == "prior") components = {"prior", "text_encoder"};
  try {
    for (const char* const component : components) folder.weights(component);
    return true;
  } catch (const Error& error) {
    if (error.code() == ErrorCode::kOutOfMemory) throw;
    return false;
  }
}

/// The folder of this role that belongs to a model whose companion was not named.
std::optional<io::ModelDir> find_companion(const Kandinsky2Kind& kind, const io::ModelDir& model,
                                           std::string_view role, Span<const std::string> places) {
  if (auto beside = model.sibling(fmt::format("-{}", role))) return beside;
  std::string_view name = model.name();
  if (name.ends_with("-inpaint")) name.remove_suffix(std::string_view("-inpaint").size());
  std::optional<io::ModelDir> best;
  const std::vector<std::string_view> elsewhere(places.begin(), places.end());
  for (const io::ModelDir& folder : model.neighbours(elsewhere)) {
    if (kind.role_of(folder) != role) continue;
    const auto nearness = kind.nearness(name, folder.name(), role);
    if (!nearness || (best && *nearness <= *kind.nearness(name, best->name(), role))) continue;
    // Caches are full of halves that nobody put there to be used.
    if (folder.is_cached() && !has_weights(folder, role)) continue;
    best = folder;
  }
  // Under the same replacements.
  return best ? std::optional(model.companion(best->path(), role)) : std::nullopt;
}

}  // namespace

io::ModelDir open_prior_dir(const Kandinsky2Kind& kind, const io::ModelDir& model,
                            const CompanionDirs& dirs) {
  const auto open = [&] {
    if (!dirs.prior.empty()) return model.companion(dirs.prior, "prior");
    if (auto found = find_companion(kind, model, "prior", dirs.places)) return *found;
    throw Error(ErrorCode::kNotFound,
                fmt::format("{}: there is no {} prior folder beside it, such as {}; put it there "
                            "or give another one as the prior",
                            model.path(), kind.title, kind.usual_prior(model)));
  };
  const io::ModelDir prior = open();
  if (!is_prior(kind, prior)) {
    throw Error(ErrorCode::kIncompatible,
                fmt::format("{} is not a {} prior, which {} needs: its model_index.json has {}",
                            prior.path(), kind.title, model.path(), prior.pipeline_class()));
  }
  return prior;
}

std::optional<io::ModelDir> open_inpaint_dir(const Kandinsky2Kind& kind, const io::ModelDir& model,
                                             const CompanionDirs& dirs) {
  // A model that is an inpainting one itself needs no other.
  if (is_inpainting_dir(model)) return model;
  std::optional<io::ModelDir> inpaint;
  if (!dirs.inpaint) {
    inpaint = find_companion(kind, model, "inpaint", dirs.places);
  } else if (!dirs.inpaint->empty()) {
    inpaint = io::ModelDir::open(*dirs.inpaint);
  }
  if (inpaint) check_inpaint(kind, model, *inpaint);
  return inpaint;
}

void check_widths(const Kandinsky2Kind& kind, const io::ModelDir& model,
                  const io::ModelDir& prior) {
  const Width unet{model, "unet", kind.has_decoder_text ? "cross_attention_dim" : "encoder_hid_dim",
                   kind.has_decoder_text ? 768 : 1280};
  const int64_t expected = read(unet);
  std::vector<Width> others{{prior, "prior", "embedding_dim", 768},
                            {prior, "text_encoder", "hidden_size", 512},
                            {prior, "text_encoder", "projection_dim", 512}};
  if (has_image_encoder(prior)) others.push_back({prior, "image_encoder", "projection_dim", 512});
  if (kind.has_decoder_text) others.push_back({model, "text_encoder", "numDims", 768});
  for (const Width& other : others) {
    if (read(other) == expected) continue;
    throw Error(
        ErrorCode::kIncompatible,
        fmt::format("{} and {} do not fit each other: \"{}\" of {} is {}, but \"{}\" of {} is {}",
                    model.path(), prior.path(), unet.key, unet.component, expected, other.key,
                    other.component, read(other)));
  }
  if (!kind.has_decoder_text) return;
  const int64_t unet_hidden = read({model, "unet", "encoder_hid_dim", 1024});
  const int64_t text_hidden = read({model, "text_encoder", "hidden_size", 1024});
  if (unet_hidden != text_hidden) {
    throw Error(ErrorCode::kIncompatible,
                fmt::format("{}: the unet expects text of width {}, but the text_encoder's is {}",
                            model.path(), unet_hidden, text_hidden));
  }
}

void check_text_lengths(const Kandinsky2Kind& kind, const io::ModelDir& model,
                        const io::ModelDir& prior) {
  constexpr int64_t kTokens = text::kDefaultMaxLength;
  const auto refuse = [](const io::ModelDir& folder, const char* component,
                         const std::string& what) {
    throw Error(ErrorCode::kIncompatible, fmt::format("{}: {}, but texts come in rows of {} tokens",
                                                      folder.component(component).config_path(),
                                                      what, text::kDefaultMaxLength));
  };
  const int64_t clip = read({prior, "text_encoder", "max_position_embeddings", kTokens});
  if (clip < kTokens)
    refuse(prior, "text_encoder", fmt::format("\"max_position_embeddings\" is {}", clip));
  const int64_t states = read({prior, "prior", "num_embeddings", kTokens});
  if (states != kTokens) refuse(prior, "prior", fmt::format("\"num_embeddings\" is {}", states));
  if (!kind.has_decoder_text) return;
  // Positions are counted from the one after padding's.
  const int64_t positions = read({model, "text_encoder", "max_position_embeddings", 514});
  const int64_t padding = read({model, "text_encoder", "pad_token_id", 1});
  if (padding < 0 || padding >= positions - kTokens) {
    refuse(model, "text_encoder",
           fmt::format("\"max_position_embeddings\" is {} and \"pad_token_id\" {}", positions,
                       padding));
  }
}

void check_unet(const Kandinsky2Kind& kind, const io::ModelDir& model, const nn::UNetConfig& unet,
                const nn::MovqConfig& movq) {
  if ((unet.inputs == nn::UNetInputs::kTextImage) != kind.has_decoder_text) {
    throw Error(
        ErrorCode::kUnsupported,
        fmt::format("{}: \"addition_embed_type\" of its unet is that of another family than "
                    "{}, as which its model_index.json lists it",
                    model.path(), kind.title));
  }
  const int64_t latent_channels = movq.latent_channels;
  if (movq.vq_embed_dim != latent_channels) {
    throw Error(ErrorCode::kUnsupported,
                fmt::format("{}: \"vq_embed_dim\" of its movq is {}, expected {} like its "
                            "\"latent_channels\"",
                            model.path(), movq.vq_embed_dim, latent_channels));
  }
  if (unet.inputs == nn::UNetInputs::kImageHint) {
    const int64_t expected = latent_channels + nn::HintNetwork::kChannels;
    if (unet.in_channels != expected || movq.factor() != nn::HintNetwork::kFactor) {
      throw Error(ErrorCode::kUnsupported,
                  fmt::format("{}: its unet takes hints and {} channels, expected {}, and latents "
                              "of {} pixels, expected {}",
                              model.path(), unet.in_channels, expected, movq.factor(),
                              nn::HintNetwork::kFactor));
    }
  } else if (unet.in_channels != latent_channels && !is_inpainting_unet(unet, latent_channels)) {
    throw Error(
        ErrorCode::kUnsupported,
        fmt::format("{}: its unet takes {} channels, expected {} or, for inpainting, {}",
                    model.path(), unet.in_channels, latent_channels, 2 * latent_channels + 1));
  }
  if (unet.out_channels != latent_channels && unet.out_channels != 2 * latent_channels) {
    throw Error(ErrorCode::kUnsupported,
                fmt::format("{}: its unet gives {} channels, expected {} or, with a variance, {}",
                            model.path(), unet.out_channels, latent_channels, 2 * latent_channels));
  }
}

bool is_inpainting_dir(const io::ModelDir& model) {
  const nn::UNetConfig unet = nn::UNetConfig::from_json(model.config("unet"));
  const nn::MovqConfig movq = nn::MovqConfig::from_json(model.config("movq"));
  return is_inpainting_unet(unet, movq.latent_channels);
}

void check_vocabulary(const io::JsonConfig& text_encoder, int64_t tokens) {
  const int64_t vocab_size = text_encoder.get_int("vocab_size");
  if (tokens <= vocab_size) return;
  throw Error(ErrorCode::kIncompatible,
              fmt::format("{}: \"vocab_size\" is {}, but the tokenizer beside it has {} tokens",
                          text_encoder.source(), vocab_size, tokens));
}

samplers::NoiseSchedule read_schedule(const io::ModelDir& model) {
  auto schedule = samplers::NoiseSchedule::from_json(model.config("scheduler"));
  // The index of hub models does not list it, and inpainting folders have none.
  if (const auto ddpm = model.optional_component("ddpm_scheduler")) {
    schedule.ddpm = samplers::DdpmConfig::from_json(io::JsonConfig::load(ddpm->config_path()));
  }
  return schedule;
}

ImageProcessor read_image_processor(const io::ModelDir& prior) {
  return {prior.config("image_processor"),
          nn::get_size(prior.config("image_encoder"), "image_size")};
}

bool has_image_encoder(const io::ModelDir& prior) {
  try {
    prior.weights("image_encoder");
    return true;
  } catch (const Error& error) {
    if (error.code() != ErrorCode::kNotFound) throw;
    return false;
  }
}

int64_t native_size(const Kandinsky2Kind& kind, const io::ModelDir& model) {
  if (is_prior(kind, model)) return 0;
  const io::JsonConfig unet = model.config("unet");
  const int64_t size = nn::UNetConfig::from_json(unet).sample_size *
                       nn::MovqConfig::from_json(model.config("movq")).factor();
  if (size <= kMaxSide) return size;
  throw Error(ErrorCode::kCorruptFile,
              fmt::format("{}: \"sample_size\" gives images of {} pixels a side, expected at most "
                          "{}",
                          unet.source(), size, kMaxSide));
}

namespace {

/// Builds the network of stand-ins.
template <typename Network, typename Config>
void check_network(const io::ModelDir& folder, const char* component, const Config& read_config) {
  const tensor::Weights weights = tensor::Weights::open(folder.weights(component), {});
  Network(read_config(folder.config(component)), for_checks(weights));
}

template <typename Network>
void check_network(const io::ModelDir& folder, const char* component) {
  check_network<Network>(folder, component, [](const io::JsonConfig& json) { return json; });
}

struct ComponentCheck {
  std::string_view name;
  void (*check)(const io::ModelDir& folder);
};

constexpr std::array kDecoderChecks{
    ComponentCheck{"unet",
                   [](const io::ModelDir& folder) {
                     check_network<nn::UNet>(folder, "unet", nn::UNetConfig::from_json);
                   }},
    ComponentCheck{"movq",
                   [](const io::ModelDir& folder) {
                     check_network<nn::Movq>(folder, "movq", nn::MovqConfig::from_json);
                   }},
    ComponentCheck{"text_encoder",
                   [](const io::ModelDir& folder) {
                     check_network<nn::MultilingualClip>(folder, "text_encoder");
                   }},
    ComponentCheck{"tokenizer",
                   [](const io::ModelDir& folder) {
                     const auto tokenizer =
                         text::XlmrTokenizer::load(folder.component("tokenizer").folder());
                     check_vocabulary(folder.config("text_encoder"), tokenizer.vocab_size());
                   }},
    ComponentCheck{"scheduler", [](const io::ModelDir& folder) { read_schedule(folder); }},
};

constexpr std::array kPriorChecks{
    ComponentCheck{
        "prior",
        [](const io::ModelDir& folder) { check_network<nn::PriorTransformer>(folder, "prior"); }},
    ComponentCheck{"text_encoder",
                   [](const io::ModelDir& folder) {
                     check_network<nn::ClipTextEncoder>(folder, "text_encoder");
                   }},
    ComponentCheck{"image_encoder",
                   [](const io::ModelDir& folder) {
                     check_network<nn::ClipVisionEncoder>(folder, "image_encoder");
                   }},
    ComponentCheck{"tokenizer",
                   [](const io::ModelDir& folder) {
                     const auto tokenizer =
                         text::ClipTokenizer::load(folder.component("tokenizer").folder());
                     check_vocabulary(folder.config("text_encoder"), tokenizer.vocab_size());
                   }},
    ComponentCheck{"scheduler",
                   [](const io::ModelDir& folder) {
                     samplers::UnclipSchedule::from_json(folder.config("scheduler"));
                   }},
    ComponentCheck{"image_processor",
                   [](const io::ModelDir& folder) { read_image_processor(folder); }},
};

}  // namespace

bool check_component(const Kandinsky2Kind& kind, const io::ModelDir& model,
                     const io::ComponentInfo& component) {
  const bool of_prior = is_prior(kind, model);
  const bool is_text = component.name == "text_encoder" || component.name == "tokenizer";
  if (is_text && !of_prior && !kind.has_decoder_text) return false;
  const Span<const ComponentCheck> checks = of_prior ? Span<const ComponentCheck>(kPriorChecks)
                                                     : Span<const ComponentCheck>(kDecoderChecks);
  for (const ComponentCheck& known : checks) {
    if (known.name != component.name) continue;
    known.check(model);
    return true;
  }
  return false;
}

}  // namespace kandinsky::pipelines
