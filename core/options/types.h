/// What the values of options are made of.
#pragma once

#include <ATen/core/Tensor.h>

#include <array>
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

/// What stands on the image side of the negative embeds.
enum class NegativeImage : int {
  kZero,   ///< the embedding of an image of zeros: no colour of its own
  kPrior,  ///< the prior's result for the text that it steers away from, or kZero without one:
           ///< what the reference does
};

/// Where image to image begins on the noise schedule.
enum class InitNoise : int {
  kMatched,    ///< noise of the sampler's own first step
  kReference,  ///< diffusers' second table, which is noisier; see Sampler::takes_reference_noise
};

/// Which network inpaints where a mask is given.
enum class MaskMethod : int {
  kAuto,   ///< the inpainting model if there is one, else kBlend
  kModel,  ///< the inpainting model; an error without one
  kBlend,  ///< the model itself, putting the start latents back outside the mask at each step
};

/// What the masked part holds before denoising.
enum class MaskFill : int {
  kOriginal,       ///< the image
  kFill,           ///< colours from around
  kLatentNoise,    ///< latents of unit normal noise from the image's seed
  kLatentNothing,  ///< latents of zeros
};

using images::ResizeMode;

/// One row of embeds at work for one image during some steps. Rows of one image and step add up
/// by their weights, as "AND" of hosts does.
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

/// The names that an option takes which names something in a table; the first is the default.
const std::vector<std::string>& sampler_names();
const std::vector<std::string>& scheduler_names();
const std::vector<std::string>& speedup_names();
const std::vector<std::string>& precision_names();
const std::vector<std::string>& preset_names();

}  // namespace options

/// The types of options, each with that of the field which holds the value.
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
struct Path {  ///< bytes as the system has them
  using Value = std::string;
};
struct OptionalPath {  ///< for which "" is no default
  using Value = std::optional<std::string>;
};
struct Numbers {  ///< as text: separated by commas or blanks
  using Value = std::vector<double>;
};
struct Texts {
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
