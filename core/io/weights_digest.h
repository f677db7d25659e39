/// Tells weights from others, whatever their files and folders are called. Everything that has to
/// know whether weights are the same asks here.
///
/// A file counts by its size and by 256 pieces of 4 KiB, evenly spread from its first byte to its
/// last: to read it whole would take as long as to load it. Training changes weights everywhere, so
/// one of the pieces shows it; a change of less than a 256th of a file may be missed.
#pragma once

#include <string_view>

#include "base/sha256.h"
#include "base/span.h"
#include "io/model_dir.h"

namespace kandinsky::io {

/// The SHA-256 of these files, in this order. Throws Error as InputFile.
HexDigest digest_files(Span<const std::string_view> paths);

/// Of a model folder: of the components that have weights, in the order of their names, the name
/// and the files that ModelDir::weights() gives. Throws Error as InputFile, kCorruptFile for a bad
/// shard index, and kNotFound for a folder without weights.
HexDigest digest_folder(const ModelDir& folder);

}  // namespace kandinsky::io
