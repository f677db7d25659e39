/// Types of option values.
#pragma once

#include <ATen/core/Tensor.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "images/resize.h"
#include "io/images/image.h"

namespace kandinsky {

inline constexpr int kMaxBatchSize = 64;
inline constexpr int kMaxSide = 16384;
inline constexpr double kMaxGuidanceScale = 100;

/// The image embedding of the negative embeds.
enum class NegativeImage : int {
  kZero,   ///< the embedding of an image of zeros: has no colour
  kPrior,  ///< the prior's result for the negative prompt, or kZero without one, as in the
           ///< reference
};

/// The noise level at which image to image begins.
enum class InitNoise : int {
  kMatched,    ///< noise of the sampler's own first step
  kReference,  ///< diffusers' second table, which is noisier; see Sampler::takes_reference_noise
};

/// Which network inpaints a masked image.
enum class MaskMethod : int {
  kAuto,   ///< the inpainting model if there is one, else kBlend
  kModel,  ///< the inpainting model; an error without one
  kBlend,  ///< the model itself, restoring the start latents outside the mask at each step
};

/// Content of the masked part before denoising.
enum class MaskFill : int {
  kOriginal,       ///< the image
  kFill,           ///< colours from around
  kLatentNoise,    ///< latents of unit normal noise from the image's seed
  kLatentNothing,  ///< latents of zeros
};

using images::ResizeMode;

/// A row of embeds that guides one image during some steps. Rows of one image and step are summed
/// with their weights, as "AND" in hosts.
struct Condition {
  int64_t row = 0;
  int64_t image = 0;
  int first_step = 1;  ///< counted from 1 over num_inference_steps
  int last_step = 0;
  double weight = 1.0;
};

/// The words of the enumerations, in the order of their values.
template <typename Enum>
inline constexpr std::nullptr_t kWords = nullptr;
template <>
inline constexpr std::array kWords<NegativeImage>{"zero", "prior"};
template <>
inline constexpr std::array kWords<InitNoise>{"matched", "reference"};
template <>
inline constexpr std::array kWords<MaskMethod>{"auto", "model", "blend"};
template <>
inline constexpr std::array kWords<MaskFill>{"original", "fill", "latent noise", "latent nothing"};
template <>
inline constexpr std::array kWords<ResizeMode>{"stretch", "crop", "fill"};

namespace options {

/// The model's own sampler.
inline constexpr const char* kOwnSampler = "Automatic";

/// The names of a table that is an option's range; the first is the default.
const std::vector<std::string>& sampler_names();
const std::vector<std::string>& scheduler_names();
const std::vector<std::string>& speedup_names();
const std::vector<std::string>& precision_names();
const std::vector<std::string>& preset_names();

}  // namespace options

/// The types of options, each with the type of its field.
namespace type {

struct Flag {
  using Value = bool;
};
struct Integer {
  using Value = int;
};
struct Bytes {
  using Value = int64_t;
};
struct Number {
  using Value = double;
};
template <typename Enum>
struct Word {
  using Value = Enum;
};
struct Text {
  using Value = std::string;
};
struct Path {  ///< bytes in the system's encoding
  using Value = std::string;
};
struct OptionalPath {  ///< "" is not the default
  using Value = std::optional<std::string>;
};
struct Numbers {  ///< as text: separated by commas or spaces
  using Value = std::vector<double>;
};
struct Texts {
  using Value = std::vector<std::string>;
};
struct Paths {  ///< each as Path
  using Value = std::vector<std::string>;
};
struct Seeds {
  using Value = std::vector<uint64_t>;
};
struct Floats {
  using Value = at::Tensor;
};
struct Images {
  using Value = std::vector<io::Image>;
};
struct Conditions {
  using Value = std::vector<Condition>;
};

}  // namespace type
}  // namespace kandinsky
