#include "convert/plan.h"

#include <fmt/format.h>

#include <cstddef>
#include <cstdint>
#include <deque>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/sha256.h"
#include "convert/convert.h"
#include "convert/inputs.h"
#include "convert/key_map.h"
#include "convert/parts.h"
#include "io/input_file.h"
#include "io/json_config.h"
#include "io/safetensors.h"
#include "io/tensor_file.h"
#include "io/tensor_view.h"
#include "io/weights_digest.h"

namespace kandinsky::convert {
namespace {

namespace fs = std::filesystem;

at::ScalarType scalar_type_of(std::string_view precision) {
  if (precision == "fp32") return at::kFloat;
  if (precision == "fp16") return at::kHalf;
  if (precision == "bf16") return at::kBFloat16;
  throw Error(ErrorCode::kInvalidArgument,
              fmt::format("precision is \"{}\", expected one of: fp32, fp16, bf16", precision));
}

/// Whether an earlier run wrote it. Throws for another file.
bool is_finished(const PlannedFile& planned, const Target& target) {
  if (!io::is_there(planned.path)) return false;
  const io::SafetensorsFile file = io::SafetensorsFile::open(planned.path);
  for (const io::MetadataEntry& entry : file.metadata()) {
    if (entry.key == kOrigin && entry.value == planned.origin) return true;
  }
  throw Error(
      ErrorCode::kInvalidArgument,
      fmt::format("{}: already exists and was not made from these inputs in {}; delete it or "
                  "choose another output folder",
                  planned.path, target.precision));
}

/// Empty if no weights are given for the part.
std::optional<PlannedFile> plan(const Part& part, const Target& target, const Inputs& inputs,
                                const Say& say) {
  const Source* const source = inputs.find(part);
  if (*part.weights == '\0' || source == nullptr || source->weight_files.empty())
    return std::nullopt;
  // Otherwise it would have to be converted again.
  if (source->kind == Kind::kPrior && !inputs.statistics) return std::nullopt;
  PlannedFile planned{.part = &part, .path = target.weights_of(part)};
  const io::JsonConfig config =
      source->settings.empty() ? io::JsonConfig::parse(part.settings, "the settings of Kandinsky")
                               : io::JsonConfig::load(source->settings);
  std::vector<std::string> paths = source->weight_files;
  std::vector<Kind> kinds(paths.size(), source->kind);
  if (source->kind == Kind::kPrior) {
    paths.push_back(*inputs.statistics);
    kinds.push_back(Kind::kStatistics);
  }
  for (size_t i = 0; i < paths.size(); ++i) {
    const io::TensorFile& file = planned.files.emplace_back(io::open_weight_file(paths[i]));
    Pieces pieces = pieces_of(file, kinds[i], config);
    if (!pieces.unknown.empty()) {
      say(fmt::format("{}: {} tensors are not needed, such as {}", paths[i], pieces.unknown.size(),
                      pieces.unknown[0]));
    }
    for (Piece& piece : pieces.pieces) {
      planned.bytes +=
          static_cast<uint64_t>(*io::tensor_byte_size(target.type_of(piece), piece.shape));
      planned.pieces.push_back(std::move(piece));
    }
  }
  const std::vector<std::string_view> views(paths.begin(), paths.end());
  planned.origin = fmt::format("{} as {}", view_of(io::digest_files(views)), target.precision);
  planned.is_done = is_finished(planned, target);
  return planned;
}

void check_room(const std::deque<PlannedFile>& files, const std::string& output) {
  uint64_t bytes = 0;
  for (const PlannedFile& planned : files) bytes += planned.is_done ? 0 : planned.bytes;
  fs::path place = fs::absolute(output);
  std::error_code error;
  while (!fs::exists(place, error) && place.has_relative_path()) place = place.parent_path();
  const fs::space_info space = fs::space(place, error);
  constexpr uint64_t kSpare = uint64_t{64} << 20U;
  if (error || space.available >= bytes + kSpare) return;
  throw Error(ErrorCode::kIo, fmt::format("{}: needs {:.1f} GB of disk space, {:.1f} GB are free",
                                          output, static_cast<double>(bytes + kSpare) / 1e9,
                                          static_cast<double>(space.available) / 1e9));
}

}  // namespace

std::string Target::folder_of(const Part& part) const {
  return fmt::format("{}{}/{}", output, part.folder, part.name);
}

std::string Target::weights_of(const Part& part) const {
  return fmt::format("{}/{}.safetensors", folder_of(part), part.weights);
}

io::DType Target::type_of(const Piece& piece) const {
  if (!is_floating(piece.stored->dtype)) return piece.stored->dtype;
  return type == at::kFloat  ? io::DType::kF32
         : type == at::kHalf ? io::DType::kF16
                             : io::DType::kBF16;
}

Target target_of(const ConvertRequest& request) {
  std::string output = request.output;
  while (output.size() > 1 && output.ends_with('/')) output.pop_back();
  if (output.empty()) throw Error(ErrorCode::kInvalidArgument, "no output folder was given");
  return {.output = std::move(output),
          .precision = request.precision,
          .type = scalar_type_of(request.precision)};
}

bool is_floating(io::DType dtype) {
  return dtype == io::DType::kF64 || dtype == io::DType::kF32 || dtype == io::DType::kF16 ||
         dtype == io::DType::kBF16;
}

std::deque<PlannedFile> plan_files(const Target& target, const Inputs& inputs, const Say& say) {
  std::deque<PlannedFile> files;
  for (const Part& part : kParts) {
    if (std::optional<PlannedFile> planned = plan(part, target, inputs, say))
      files.push_back(std::move(*planned));
  }
  check_room(files, target.output);
  return files;
}

}  // namespace kandinsky::convert
