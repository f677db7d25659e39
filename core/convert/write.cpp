#include "convert/write.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/empty.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include "base/error.h"
#include "base/span.h"
#include "convert/convert.h"
#include "convert/inputs.h"
#include "convert/key_map.h"
#include "convert/parts.h"
#include "convert/plan.h"
#include "io/atomic_file.h"
#include "io/input_file.h"
#include "io/safetensors.h"
#include "io/tensor_file.h"
#include "io/tensor_view.h"
#include "tensor/bridge.h"
#include "tensor/convert.h"

namespace kandinsky::convert {
namespace {

namespace fs = std::filesystem;

void make_folder(const std::string& path) {
  std::error_code error;
  fs::create_directories(path, error);
  if (error)
    throw Error(ErrorCode::kIo, fmt::format("{}: cannot be created: {}", path, error.message()));
}

void write_text(const std::string& path, std::string_view text) {
  const std::array pieces{std::as_bytes(Span<const char>(text)),
                          std::as_bytes(Span<const char>("\n", 1))};
  io::write_file_atomically(path, pieces);
}

void copy(const std::string& from, const std::string& to) {
  constexpr uint64_t kMost = uint64_t{64} << 20U;
  const std::vector<std::byte> bytes = io::InputFile::open(from).read_all(kMost);
  const Span<const std::byte> piece(bytes);
  io::write_file_atomically(to, {&piece, 1});
}

at::Tensor read_converted(const Piece& piece, const Target& target) {
  const io::StoredTensor& stored = *piece.stored;
  at::Tensor whole = at::empty({stored.shape.data(), stored.shape.size()}, target.type);
  const auto element = static_cast<int64_t>(io::dtype_size(stored.dtype));
  const bool finite = tensor::read_converted(
      [&](int64_t begin, const at::Tensor& to) {
        piece.file->read(stored, static_cast<uint64_t>(begin * element),
                         {static_cast<std::byte*>(to.mutable_data_ptr()), to.nbytes()});
      },
      tensor::scalar_type(stored.dtype), whole, tensor::FiniteCheck::kCheck);
  if (!finite) {
    throw Error(ErrorCode::kUnsupported,
                fmt::format("{}: tensor '{}' has values that are not finite, or too large for {}; "
                            "another precision may work",
                            piece.file->path(), stored.name, target.precision));
  }
  return whole;
}

at::Tensor read(const Piece& piece, const Target& target) {
  const io::StoredTensor& stored = *piece.stored;
  at::Tensor whole = is_floating(stored.dtype) ? read_converted(piece, target)
                                               : tensor::read_tensor(*piece.file, stored);
  if (piece.parts > 1) {
    whole = whole.view({-1, piece.parts, piece.head_dim, whole.numel() / stored.shape[0]})
                .select(1, piece.part)
                .contiguous();
  }
  return whole.view(piece.shape);
}

/// Settings and other files beside weights. False if no input has them.
bool write_settings(const Part& part, const Target& target, const Inputs& inputs) {
  const Source* const found = inputs.find(part);
  const Source source = found == nullptr ? Source{} : *found;
  const std::string config = fmt::format("{}/{}", target.folder_of(part), part.config);
  if (source.settings.empty() && *part.settings == '\0') return io::is_there(config);
  make_folder(target.folder_of(part));
  if (!source.settings.empty()) {
    copy(source.settings, config);
  } else {
    std::string text = part.settings;
    // The inpainting UNet also has channels for the mask and the masked image.
    constexpr std::string_view kFour = "\"in_channels\": 4";
    const size_t at = text.find(kFour);
    if (std::string_view(part.folder) == "-inpaint" && at != std::string::npos)
      text.replace(at, kFour.size(), "\"in_channels\": 9");
    write_text(config, text);
  }
  for (const std::string& file : source.side_files)
    copy(file, fmt::format("{}/{}", target.folder_of(part), fs::path(file).filename().string()));
  return true;
}

bool has_weights(const Part& part, const Target& target) {
  if (*part.weights == '\0') {
    // A tokenizer needs more than its settings.
    return std::string_view(part.name) != "tokenizer" ||
           std::string_view(part.folder) == "-inpaint" ||
           !existing(target.folder_of(part),
                     {"sentencepiece.bpe.model", "tokenizer.json", "merges.txt"})
                .empty();
  }
  const std::string path = target.weights_of(part);
  if (!io::is_there(path)) return false;
  return std::string_view(part.name) != "prior" ||
         io::SafetensorsFile::open(path).find("clip_mean") != nullptr;
}

}  // namespace

void write_weights(const PlannedFile& planned, const Target& target, const Report& report) {
  const auto count = static_cast<int>(planned.pieces.size());
  make_folder(target.folder_of(*planned.part));
  std::vector<io::TensorOutline> outlines;
  for (const Piece& piece : planned.pieces)
    outlines.push_back({.name = piece.name, .dtype = target.type_of(piece), .shape = piece.shape});
  const std::array metadata{io::MetadataEntry{"format", "pt"},
                            io::MetadataEntry{kOrigin, planned.origin}};
  report(planned.part->name, 0, count);
  io::write_safetensors(
      planned.path, outlines, metadata, [&](size_t i, const io::WriteBytes& write) {
        const at::Tensor tensor = read(planned.pieces[i], target);
        write({static_cast<const std::byte*>(tensor.const_data_ptr()), tensor.nbytes()});
        report(planned.part->name, static_cast<int>(i) + 1, count);
      });
}

void write_folders(const Target& target, const Inputs& inputs) {
  std::vector<std::string> missing;
  for (const Index& index : kIndexes) {
    if (!inputs.have(index.folder)) continue;
    bool is_complete = true;
    for (const Part& part : kParts) {
      if (std::string_view(part.folder) != index.folder) continue;
      const bool has_settings = write_settings(part, target, inputs);
      if (has_settings && has_weights(part, target)) continue;
      is_complete = false;
      missing.push_back(fmt::format("{}{}/{} ({} of {})",
                                    fs::path(target.output).filename().string(), part.folder,
                                    part.name, part.original, part.where));
    }
    if (is_complete)
      write_text(fmt::format("{}{}/model_index.json", target.output, index.folder), index.text);
  }
  if (missing.empty()) return;
  throw Error(
      ErrorCode::kNotFound,
      fmt::format("{}: the given inputs are converted, but these are missing: {}. Also give their "
                  "folder or files as inputs; finished components are kept",
                  target.output, fmt::join(missing, ", ")));
}

}  // namespace kandinsky::convert
