/// The parts of Kandinsky 2.1's folders in diffusers' layout.
#pragma once

#include <array>
#include <string_view>

#include "convert/settings.h"

namespace kandinsky::convert {

/// A part of one of the written folders.
struct Part {
  const char* folder;  ///< suffix of the output's name
  const char* name;
  const char* weights;     ///< the file's name without its ending; "": none
  const char* config;      ///< the file's name
  const char* settings;    ///< its content if no input has it; "": none
  const char* original;    ///< its original checkpoint
  std::string_view where;  ///< where that is published
};

inline constexpr std::string_view kCheckpointsPage = "ai-forever/Kandinsky_2.1";
inline constexpr std::string_view kPriorPage =
    "kandinsky-community/kandinsky-2-1-prior (`python -m kandinsky_engine get 2.1`)";
inline constexpr const char* kDiffusersWeights = "diffusion_pytorch_model";
inline constexpr const char* kTransformersWeights = "model";
inline constexpr const char* kConfigFile = "config.json";
inline constexpr const char* kSchedulerFile = "scheduler_config.json";

inline constexpr std::array kParts{
    Part{"", "unet", kDiffusersWeights, kConfigFile, settings::kUNet, "decoder_fp16.ckpt",
         kCheckpointsPage},
    Part{"", "movq", kDiffusersWeights, kConfigFile, settings::kMovq, "movq_final.ckpt",
         kCheckpointsPage},
    Part{"", "text_encoder", kTransformersWeights, kConfigFile, settings::kTextEncoder,
         "text_encoder/pytorch_model.bin", kCheckpointsPage},
    Part{"", "tokenizer", "", "tokenizer_config.json", settings::kTokenizer,
         "text_encoder/sentencepiece.bpe.model", kCheckpointsPage},
    Part{"", "scheduler", "", kSchedulerFile, settings::kScheduler, "", ""},
    Part{"", "ddpm_scheduler", "", kSchedulerFile, settings::kDdpmScheduler, "", ""},
    Part{"-prior", "prior", kDiffusersWeights, kConfigFile, settings::kPrior,
         "prior_fp16.ckpt and ViT-L-14_stats.th", kCheckpointsPage},
    Part{"-prior", "text_encoder", kTransformersWeights, kConfigFile, "", "CLIP's text encoder",
         kPriorPage},
    Part{"-prior", "image_encoder", kTransformersWeights, kConfigFile, "", "CLIP's image encoder",
         kPriorPage},
    Part{"-prior", "tokenizer", "", "tokenizer_config.json", "", "CLIP's tokenizer", kPriorPage},
    Part{"-prior", "image_processor", "", "preprocessor_config.json", "", "CLIP's image processor",
         kPriorPage},
    Part{"-prior", "scheduler", "", kSchedulerFile, settings::kPriorScheduler, "", ""},
    Part{"-inpaint", "unet", kDiffusersWeights, kConfigFile, settings::kUNet,
         "inpainting_fp16.ckpt", kCheckpointsPage},
    // The rest is the decoder's own; only its settings are used.
    Part{"-inpaint", "movq", "", kConfigFile, settings::kMovq, "", ""},
    Part{"-inpaint", "text_encoder", "", kConfigFile, settings::kTextEncoder, "", ""},
    Part{"-inpaint", "tokenizer", "", "tokenizer_config.json", settings::kTokenizer, "", ""},
    Part{"-inpaint", "scheduler", "", kSchedulerFile, settings::kScheduler, "", ""},
};

/// The model_index.json of one of the folders.
struct Index {
  const char* folder;
  const char* text;
};

inline constexpr std::array kIndexes{Index{"", settings::kModelIndex},
                                     Index{"-prior", settings::kPriorIndex},
                                     Index{"-inpaint", settings::kInpaintIndex}};

}  // namespace kandinsky::convert
