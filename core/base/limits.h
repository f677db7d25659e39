#pragma once

#include <cstddef>
#include <cstdint>

/// All limits of untrusted input, each with its reason.
namespace kandinsky::limits {

/// Header of a safetensors file, which is read before it can be checked. The largest
/// component here has 0.1 MB, and metadata of trainers and merges add a few. The format allows 100
/// MB.
inline constexpr std::uint64_t kMaxSafetensorsHeaderBytes = 16U << 20U;

/// Entries of a safetensors file's metadata. Trainers write dozens; each takes about a hundred
/// bytes of memory, however short it is.
inline constexpr std::size_t kMaxSafetensorsMetadata = 10'000;

/// Dimensions of one tensor. Networks here use at most 5; a header could otherwise list millions.
inline constexpr std::size_t kMaxTensorRank = 16;

/// Tensors in one file. The largest component here has 776.
inline constexpr std::size_t kMaxTensorsPerFile = 100'000;

/// The pickle of a PyTorch checkpoint, without the tensors' data. That of the largest component
/// here has 0.1 MB, an optimizer's state beside it makes it a few.
inline constexpr std::uint64_t kMaxPickleBytes = 8U << 20U;

/// Values of a pickle. A tensor has about ten, and each takes about a hundred bytes of memory.
inline constexpr std::size_t kMaxPickleValues = 1'000'000;

/// Nesting depth of tuples, lists and dictionaries of a pickle. Real ones have ten.
inline constexpr std::size_t kMaxPickleDepth = 1000;

/// The list of files in a ZIP archive. Each tensor of a checkpoint is a file and takes about a
/// hundred bytes of it.
inline constexpr std::uint64_t kMaxZipDirectoryBytes = 16U << 20U;

/// Layers of one kind in a config: the largest network here has 24. Each is built before missing
/// weights are detected.
inline constexpr std::int64_t kMaxLayers = 1000;

/// config.json, model_index.json, vocab.json, shard indexes. CLIP's vocab.json has 0.9 MB, the
/// index of a very large model a few.
inline constexpr std::uint64_t kMaxJsonBytes = 16U << 20U;

/// Values in one of those files, including lists and objects. CLIP's vocab.json has 49,408; each
/// takes about a hundred bytes of memory, however short it is.
inline constexpr std::size_t kMaxJsonValues = 250'000;

/// Nesting depth in those files. Real ones have three.
inline constexpr std::size_t kMaxJsonDepth = 32;

/// merges.txt of a BPE tokenizer: CLIP's has 0.5 MB.
inline constexpr std::uint64_t kMaxMergesBytes = 16U << 20U;

/// A SentencePiece model: XLM-R's has 5 MB. Its pieces take about ten times that in memory.
inline constexpr std::uint64_t kMaxSentencePieceBytes = 16U << 20U;

/// Weight files of one component. All of them stay open while the model is in use, and a process
/// may have about a thousand files open; the largest models of this kind have three.
inline constexpr std::size_t kMaxWeightFiles = 100;

/// One prompt in bytes of UTF-8. 100,000 words fit, also in scripts with two or three bytes a
/// letter; the tokenizers need up to about 200 bytes of memory for each byte of text.
inline constexpr std::size_t kMaxPromptBytes = 2U << 20U;

/// Absolute weight of a word in a prompt. Hosts have no limit; images fall apart at 3, and 48
/// nested brackets give 97.
inline constexpr double kMaxPromptWeight = 100.0;

/// Nesting depth of a prompt's brackets: each multiplies all that follow, so this keeps parsing
/// linear. 49 around a word exceed the weight limit anyway.
inline constexpr std::size_t kMaxPromptNesting = 100;

/// Chunks of 75 tokens of a prompt. The UNet attends to all of their rows in each
/// step, and the prior runs once for each.
inline constexpr std::size_t kMaxPromptChunks = 8;

/// Items of one mix.
inline constexpr std::size_t kMaxMixItems = 64;

/// Rows of one set of embeds: many conditions for each image of the largest batch.
inline constexpr std::int64_t kMaxEmbedsRows = 1024;

/// Side of an image, in pixels: the most that JPEG can hold.
inline constexpr std::int64_t kMaxImageSide = 65'535;

/// Area of an image, in pixels: 134 megapixels, as large cameras have; Pillow, which hosts use,
/// allows 179. A compressed file of a few bytes can have this size, which is 512 MB as RGBA.
/// Checked in the file's header, before anything is allocated. A progressive JPEG needs two bytes
/// more for each colour of each pixel, a lossless WebP four more for each pixel, and a rotation by
/// 90 degrees the image twice. The same limit holds for generated images, so that they can be read.
inline constexpr std::int64_t kMaxImagePixels = std::int64_t{1} << 27U;

/// An encoded image file, in bytes: two for each pixel of the largest image. Photographs need less
/// than one.
inline constexpr std::uint64_t kMaxImageFileBytes = 1U << 28U;

/// Scans of a progressive JPEG, each of which decodes the whole image again. Encoders write
/// about 10, optimizers up to about 20; the format has no limit.
inline constexpr int kMaxJpegScans = 100;

/// One chunk of a PNG beside the pixels, such as a text, in bytes, and the same unpacked. The
/// longest text that is written here fits twice.
inline constexpr std::size_t kMaxPngChunkBytes = std::size_t{8} << 20U;

/// Number of such chunks of one PNG: libpng's default. Files have about ten.
inline constexpr unsigned kMaxPngChunks = 1000;

/// Total memory of libpng besides the pixels, in bytes: compressed texts grow a thousand
/// times. As much as Pillow allows for texts.
inline constexpr std::size_t kMaxPngMemoryBytes = std::size_t{64} << 20U;

/// Time to read one image, in seconds. The largest allowed one takes about eight on a slow core;
/// only a malicious file takes longer.
inline constexpr int kMaxImageSeconds = 15;

/// An error message, in bytes. Two of the longest paths fit; names quoted from a file may be as
/// long as the file.
inline constexpr std::size_t kMaxMessageBytes = 10'000;

/// Text stored in an image, in bytes: a prompt twice over (positive and negative) and its
/// settings.
inline constexpr std::size_t kMaxImageTextBytes = 2 * kMaxPromptBytes + (1U << 16U);

}  // namespace kandinsky::limits
