/// Tells weights from others, whatever their files and folders are called. Everything that has to
/// know whether weights are the same asks here.
///
/// A file counts by the name, type, shape and first 4 KiB of each of its tensors, and by its size
/// and 256 pieces of 4 KiB, evenly spread from its first byte to its last: to read it whole would
/// take as long as to load it. Training changes weights everywhere; what changes neither the
/// beginning of a tensor nor any of the pieces, less than a 256th of the file, is missed.
#pragma once

#include <string_view>

#include "base/sha256.h"
#include "base/span.h"
#include "io/model_dir.h"

namespace kandinsky::io {

/// The SHA-256 of these files of weights, in this order. Throws Error as open_weight_file().
HexDigest digest_files(Span<const std::string_view> paths);

/// Of a model folder: of the components that have weights, in the order of their names, the name
/// and the files that ModelDir::weights() gives. Throws Error as open_weight_file(), kCorruptFile
/// for a bad shard index, and kNotFound for a folder without weights.
HexDigest digest_folder(const ModelDir& folder);

}  // namespace kandinsky::io
