/// A hash that identifies weights, independent of the names of their files and folders. The only
/// place that decides whether weights are the same.
///
/// It covers the name, type, shape and first 4 KiB of each tensor and, of each file, the size
/// and 256 evenly spaced blocks of 4 KiB: reading the whole file would
/// take as long as loading it. Training changes weights everywhere; a change of less than a 256th
/// of the file that avoids the beginning of every tensor and all blocks is missed.
#pragma once

#include <string_view>

#include "base/sha256.h"
#include "base/span.h"
#include "io/model_dir.h"
#include "io/tensor_file.h"

namespace kandinsky::io {

/// The SHA-256 of these weight files, in this order. Throws Error as open_weight_file().
HexDigest digest_files(Span<const std::string_view> paths);

/// The same of open files.
HexDigest digest_files(Span<const TensorFile> files);

/// Of a model folder: the names of the components with weights, in name order, each followed by the
/// files of ModelDir::weights(). Throws Error as open_weight_file(), kCorruptFile
/// for a bad shard index, and kNotFound for a folder without weights.
HexDigest digest_folder(const ModelDir& folder);

}  // namespace kandinsky::io
