#include "io/weights_digest.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "base/error.h"
#include "base/sha256.h"
#include "base/span.h"
#include "io/input_file.h"
#include "io/model_dir.h"
#include "io/tensor_file.h"
#include "io/tensor_view.h"

namespace kandinsky::io {
namespace {

constexpr std::uint64_t kPieces = 256;
constexpr std::uint64_t kPieceBytes = 4096;

void add_file(Sha256& hash, const TensorFile& weights) {
  std::array<std::byte, kPieceBytes> bytes{};
  const auto piece_of = [&](std::uint64_t size) {
    return Span<std::byte>(bytes).first(std::min(kPieceBytes, size));
  };
  const InputFile& file = weights.file();
  hash.add(fmt::format("{} bytes\n", file.size()));
  const Span<std::byte> piece = piece_of(file.size());
  const std::uint64_t last = file.size() - piece.size();
  for (std::uint64_t i = 0; i < kPieces; ++i) {
    file.read(last / (kPieces - 1) * i + last % (kPieces - 1) * i / (kPieces - 1), piece);
    hash.add(piece.data(), piece.size());
  }
  for (const StoredTensor& tensor : weights.tensors()) {
    const Span<std::byte> beginning = piece_of(tensor.size);
    weights.read(tensor, 0, beginning);
    hash.add(fmt::format("{}: {} {}\n", tensor.name, dtype_name(tensor.dtype),
                         fmt::join(tensor.shape, "x")));
    hash.add(beginning.data(), beginning.size());
  }
}

/// Empty for a scheduler or a tokenizer, and for a network without weights.
std::optional<ComponentFiles> weights_of(const ModelDir& folder, std::string_view component) {
  try {
    return folder.weights(component);
  } catch (const Error& error) {
    if (error.code() != ErrorCode::kNotFound && error.code() != ErrorCode::kUnsupported) throw;
    return std::nullopt;
  }
}

}  // namespace

HexDigest digest_files(Span<const TensorFile> files) {
  Sha256 hash;
  for (const TensorFile& file : files) add_file(hash, file);
  return hash.hex();
}

HexDigest digest_files(Span<const std::string_view> paths) {
  Sha256 hash;
  for (const std::string_view path : paths) add_file(hash, open_weight_file(path));
  return hash.hex();
}

HexDigest digest_folder(const ModelDir& folder) {
  Sha256 hash;
  bool has_weights = false;
  for (const ComponentInfo& info : folder.components()) {
    const std::optional<ComponentFiles> files = weights_of(folder, info.name);
    if (!files) continue;
    hash.add(fmt::format("{}: {} files\n", info.name, files->weights().size()));
    for (const std::string_view path : files->weights()) add_file(hash, open_weight_file(path));
    has_weights = true;
  }
  if (!has_weights)
    throw Error(ErrorCode::kNotFound, fmt::format("{}: has no weights", folder.path()));
  return hash.hex();
}

}  // namespace kandinsky::io
