/// How far a stage may be from the reference, all in one place.
///
/// `relative` bounds the largest difference by the largest number of the reference. Measured on
/// CPU: the reference against itself, with other kernels and one thread, differs by up to 2e-6
/// after whole runs, since sums are taken in another order. A wrong epsilon, activation or scale is
/// 1e-4 and more in the quiet cases, a wrong wiring 1e-1 and more.
#pragma once

namespace kandinsky::parity {

struct Tolerance {
  const char* stage;
  double relative;
};

/// One forward pass: the rounding of fp32 sums through a few dozen layers.
inline constexpr Tolerance kClipText{"clip_text", 1e-5};
inline constexpr Tolerance kClipVision{"clip_vision", 1e-5};
inline constexpr Tolerance kMclip{"mclip", 1e-5};
inline constexpr Tolerance kPriorTransformer{"prior_transformer", 1e-5};
inline constexpr Tolerance kUnet{"unet", 2e-5};
inline constexpr Tolerance kMovqEncode{"movq_encode", 2e-5};
inline constexpr Tolerance kMovqDecode{"movq_decode", 2e-5};

/// The same formula on the same numbers, step by step: a few units in the last place per step.
inline constexpr Tolerance kDdim{"ddim", 1e-5};
inline constexpr Tolerance kUnclip{"unclip", 1e-5};

/// Whole loops of solvers whose references hold their coefficients in fp32, ours in double: near
/// neighbours of levels lose digits there.
inline constexpr Tolerance kSamplers{"samplers", 5e-5};
/// Levels, which the reference computes by fp32 powers, logarithms and exponentials.
inline constexpr Tolerance kSigmas{"sigmas", 3e-6};

/// Whole loops: guidance multiplies the rounding of two passes by its scale, and every step passes
/// on what the one before it had.
inline constexpr Tolerance kPriorLoop{"prior_loop", 5e-5};
inline constexpr Tolerance kDenoise{"denoise", 1e-4};
inline constexpr Tolerance kMixing{"mixing", 5e-5};
inline constexpr Tolerance kTextToImageEmbeds{"text_to_image embeds", 5e-5};
inline constexpr Tolerance kTextToImageLatents{"text_to_image latents", 1e-4};

/// Images: rounding to 8 bits turns any difference into one step of 255 where a value lies close
/// to the middle of two. The share bounds how many may: an offset of a hundredth of a step moves 1
/// %.
inline constexpr int kImageSteps = 1;
inline constexpr double kImageShare = 0.005;

}  // namespace kandinsky::parity
