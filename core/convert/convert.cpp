#include "convert/convert.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/empty.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <array>
#include <deque>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <system_error>
#include <utility>

#include "base/error.h"
#include "convert/key_map.h"
#include "convert/settings.h"
#include "io/input_file.h"
#include "io/model_dir.h"
#include "io/safetensors.h"
#include "io/weights_digest.h"
#include "tensor/bridge.h"
#include "tensor/convert.h"

namespace kandinsky::convert {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kCheckpoints = "ai-forever/Kandinsky_2.1";
constexpr std::string_view kPriorFolder =
    "kandinsky-community/kandinsky-2-1-prior (`python -m kandinsky_engine get 2.1`)";

/// A part of one of the folders that are written.
struct Part {
  const char* folder;  ///< what is behind the output's name
  const char* name;
  const char* weights;   ///< the file's name without its ending; "": none
  const char* config;    ///< the file's name
  const char* settings;  ///< what stands in it if no input has it; "": there are no such
  const char* original;  ///< the checkpoint that it is made of
  std::string_view where;
};

constexpr const char* kDiffusers = "diffusion_pytorch_model";
constexpr const char* kTransformers = "model";
constexpr const char* kConfig = "config.json";
constexpr const char* kSchedulerConfig = "scheduler_config.json";

constexpr std::array kParts{
    Part{"", "unet", kDiffusers, kConfig, settings::kUNet, "decoder_fp16.ckpt", kCheckpoints},
    Part{"", "movq", kDiffusers, kConfig, settings::kMovq, "movq_final.ckpt", kCheckpoints},
    Part{"", "text_encoder", kTransformers, kConfig, settings::kTextEncoder,
         "text_encoder/pytorch_model.bin", kCheckpoints},
    Part{"", "tokenizer", "", "tokenizer_config.json", settings::kTokenizer,
         "text_encoder/sentencepiece.bpe.model", kCheckpoints},
    Part{"", "scheduler", "", kSchedulerConfig, settings::kScheduler, "", ""},
    Part{"", "ddpm_scheduler", "", kSchedulerConfig, settings::kDdpmScheduler, "", ""},
    Part{"-prior", "prior", kDiffusers, kConfig, settings::kPrior,
         "prior_fp16.ckpt and ViT-L-14_stats.th", kCheckpoints},
    Part{"-prior", "text_encoder", kTransformers, kConfig, "", "CLIP's text encoder", kPriorFolder},
    Part{"-prior", "image_encoder", kTransformers, kConfig, "", "CLIP's image encoder",
         kPriorFolder},
    Part{"-prior", "tokenizer", "", "tokenizer_config.json", "", "CLIP's tokenizer", kPriorFolder},
    Part{"-prior", "image_processor", "", "preprocessor_config.json", "", "CLIP's image processor",
         kPriorFolder},
    Part{"-prior", "scheduler", "", kSchedulerConfig, settings::kPriorScheduler, "", ""},
    Part{"-inpaint", "unet", kDiffusers, kConfig, settings::kUNet, "inpainting_fp16.ckpt",
         kCheckpoints},
    // The rest of it is the decoder's own, of which only the settings are looked at.
    Part{"-inpaint", "movq", "", kConfig, settings::kMovq, "", ""},
    Part{"-inpaint", "text_encoder", "", kConfig, settings::kTextEncoder, "", ""},
    Part{"-inpaint", "tokenizer", "", "tokenizer_config.json", settings::kTokenizer, "", ""},
    Part{"-inpaint", "scheduler", "", kSchedulerConfig, settings::kScheduler, "", ""},
};

struct Index {
  const char* folder;
  const char* text;
};

constexpr std::array kIndexes{Index{"", settings::kModelIndex},
                              Index{"-prior", settings::kPriorIndex},
                              Index{"-inpaint", settings::kInpaintIndex}};

/// Where a part comes from.
struct Source {
  std::string settings;                   ///< a file; empty: none was given
  std::vector<std::string> side_files;    ///< to be copied, such as a tokenizer's
  std::vector<std::string> weight_files;  ///< of safetensors or checkpoints
  Kind kind = Kind::kUnknown;             ///< of those
};

[[noreturn]] void refuse(ErrorCode code, const std::string& message) { throw Error(code, message); }

at::ScalarType type_of(std::string_view precision) {
  if (precision == "fp32") return at::kFloat;
  if (precision == "fp16") return at::kHalf;
  if (precision == "bf16") return at::kBFloat16;
  refuse(ErrorCode::kInvalidArgument,
         fmt::format("precision is \"{}\", expected one of: fp32, fp16, bf16", precision));
}

io::DType dtype_of(at::ScalarType type) {
  return type == at::kFloat  ? io::DType::kF32
         : type == at::kHalf ? io::DType::kF16
                             : io::DType::kBF16;
}

bool is_floating(io::DType dtype) {
  return dtype == io::DType::kF64 || dtype == io::DType::kF32 || dtype == io::DType::kF16 ||
         dtype == io::DType::kBF16;
}

class Conversion {
 public:
  Conversion(const ConvertRequest& request, const Report& report, const Say& say)
      : request_(request), report_(report), say_(say), type_(type_of(request.precision)) {
    while (request_.output.size() > 1 && request_.output.ends_with('/')) request_.output.pop_back();
    if (request_.output.empty()) refuse(ErrorCode::kInvalidArgument, "no output folder was given");
  }

  void run() {
    for (const std::string& input : request_.inputs) take(input);
    if (sources_.empty()) refuse(ErrorCode::kInvalidArgument, "no input was given");
    for (const Part& part : kParts) plan(part);
    check_room();
    for (Planned& planned : planned_) write(planned);
    finish();
  }

 private:
  using Place = std::pair<std::string, std::string>;  ///< folder and name of a part

  /// A part whose tensors are known.
  struct Planned {
    const Part* part;
    std::string path;
    std::string origin{};  ///< what the file says of itself
    std::deque<io::TensorFile> files{};
    std::vector<Piece> pieces{};
    uint64_t bytes = 0;
    bool is_done = false;
  };

  // ---- Inputs ----

  void take(const std::string& input) {
    if (!io::is_folder(input)) {
      take_file(input);
    } else if (io::is_there(input + "/model_index.json")) {
      take_model(input);
    } else {
      take_checkpoints(input);
    }
  }

  void add_weights(const Place& place, Kind kind, std::vector<std::string> files) {
    Source& source = sources_[place];
    if (!source.weight_files.empty() && kind == source.kind) {
      refuse(ErrorCode::kInvalidArgument,
             fmt::format("{} and {} are both a {}{}; give one of them", source.weight_files[0],
                         files[0], place.second, place.first));
    }
    // A checkpoint that was named counts more than the folder that fills the gaps.
    if (!source.weight_files.empty() && kind == Kind::kUnknown) return;
    source.weight_files = std::move(files);
    source.kind = kind;
  }

  void take_file(const std::string& path) {
    const io::TensorFile file = io::open_weight_file(path);
    const Kind kind = kind_of(file);
    switch (kind) {
      case Kind::kUNet: {
        const io::StoredTensor* stored = file.find("input_blocks.0.0.weight");
        if (stored == nullptr) stored = file.find("model.input_blocks.0.0.weight");
        // Latents, masked latents and the mask.
        const bool is_inpainting = stored->shape.size() == 4 && stored->shape[1] == 9;
        add_weights({is_inpainting ? "-inpaint" : "", "unet"}, kind, {path});
        return;
      }
      case Kind::kPrior:
        add_weights({"-prior", "prior"}, kind, {path});
        return;
      case Kind::kMovq:
        add_weights({"", "movq"}, kind, {path});
        return;
      case Kind::kTextEncoder:
        add_weights({"", "text_encoder"}, kind, {path});
        return;
      case Kind::kStatistics:
        statistics_ = path;
        return;
      case Kind::kUnknown:
        refuse(ErrorCode::kInvalidArgument,
               fmt::format("{}: not a checkpoint of Kandinsky 2.1: its tensors are named {}, ...",
                           path, file.tensors().empty() ? "" : file.tensors()[0].name));
    }
  }

  /// The files of `folder` that are there.
  static std::vector<std::string> existing(const std::string& folder,
                                           std::initializer_list<std::string_view> names) {
    std::vector<std::string> found;
    for (const std::string_view name : names) {
      std::string path = fmt::format("{}/{}", folder, name);
      if (io::is_there(path)) found.push_back(std::move(path));
    }
    return found;
  }

  void take_checkpoints(const std::string& folder) {
    const auto files = existing(
        folder, {"decoder_fp16.ckpt", "decoder.ckpt", "prior_fp16.ckpt", "inpainting_fp16.ckpt",
                 "movq_final.ckpt", "ViT-L-14_stats.th", "pytorch_model.bin"});
    for (const std::string& file : files) take_file(file);
    const auto tokenizer = existing(folder, {"sentencepiece.bpe.model", "tokenizer.json",
                                             "tokenizer_config.json", "special_tokens_map.json"});
    if (!tokenizer.empty()) sources_[{"", "tokenizer"}].side_files = tokenizer;
    const std::string inner = folder + "/text_encoder";
    if (io::is_folder(inner))
      take_checkpoints(inner);
    else if (files.empty() && tokenizer.empty())
      refuse(ErrorCode::kNotFound,
             fmt::format("{}: neither a model_index.json nor an original checkpoint, such as "
                         "decoder_fp16.ckpt, is in it",
                         folder));
  }

  void take_model(const std::string& path) {
    const io::ModelDir model = io::ModelDir::open(path);
    const std::string_view pipeline = model.pipeline_class();
    const std::string folder = pipeline.find("Prior") != std::string_view::npos     ? "-prior"
                               : pipeline.find("Inpaint") != std::string_view::npos ? "-inpaint"
                                                                                    : "";
    for (const Part& part : kParts) {
      if (part.folder != folder) continue;
      const auto found = model.optional_component(part.name);
      if (!found) continue;
      Source& source = sources_[{folder, part.name}];
      source.settings = std::string(found->config_path());
      if (*part.weights == '\0') {
        std::error_code error;
        fs::directory_iterator entry(fs::path(found->folder()), error);
        for (; !error && entry != fs::directory_iterator(); entry.increment(error)) {
          const std::string suffix = entry->path().extension().string();
          if (suffix == ".json" || suffix == ".txt" || suffix == ".model")
            source.side_files.push_back(entry->path().string());
        }
        if (error) {
          refuse(ErrorCode::kIo,
                 fmt::format("{}: cannot be read: {}", found->folder(), error.message()));
        }
        continue;
      }
      try {
        const io::ComponentFiles files = model.weights(part.name);
        add_weights({folder, part.name}, Kind::kUnknown,
                    {files.weights().begin(), files.weights().end()});
      } catch (const Error& error) {
        // Settings alone serve, too.
        if (error.code() != ErrorCode::kNotFound && error.code() != ErrorCode::kUnsupported) throw;
        say_(error.what());
      }
    }
  }

  // ---- The plan ----

  bool is_wanted(std::string_view folder) const {
    for (const auto& [place, source] : sources_) {
      if (place.first == folder && (!source.weight_files.empty() || !source.side_files.empty()))
        return true;
    }
    return false;
  }

  std::string folder_of(const Part& part) const {
    return fmt::format("{}{}/{}", request_.output, part.folder, part.name);
  }

  void plan(const Part& part) {
    const auto found = sources_.find({part.folder, part.name});
    if (*part.weights == '\0' || found == sources_.end() || found->second.weight_files.empty())
      return;
    const Source& source = found->second;
    if (source.kind == Kind::kPrior && !statistics_) return;  // it would have to be made again
    Planned planned{.part = &part,
                    .path = fmt::format("{}/{}.safetensors", folder_of(part), part.weights)};
    const io::JsonConfig config =
        source.settings.empty() ? io::JsonConfig::parse(part.settings, "the settings of Kandinsky")
                                : io::JsonConfig::load(source.settings);
    std::vector<std::string> paths = source.weight_files;
    std::vector<Kind> kinds(paths.size(), source.kind);
    if (source.kind == Kind::kPrior && statistics_) {
      paths.push_back(*statistics_);
      kinds.push_back(Kind::kStatistics);
    }
    for (size_t i = 0; i < paths.size(); ++i) {
      const io::TensorFile& file = planned.files.emplace_back(io::open_weight_file(paths[i]));
      Pieces pieces = pieces_of(file, kinds[i], config);
      if (!pieces.unknown.empty()) {
        say_(fmt::format("{}: {} tensors are not needed, such as {}", paths[i],
                         pieces.unknown.size(), pieces.unknown[0]));
      }
      for (Piece& piece : pieces.pieces) {
        planned.bytes +=
            static_cast<uint64_t>(*io::tensor_byte_size(target_type(piece), piece.shape));
        planned.pieces.push_back(std::move(piece));
      }
    }
    const std::vector<std::string_view> views(paths.begin(), paths.end());
    planned.origin = fmt::format("{} as {}", view_of(io::digest_files(views)), request_.precision);
    planned.is_done = is_finished(planned);
    planned_.push_back(std::move(planned));
  }

  io::DType target_type(const Piece& piece) const {
    return is_floating(piece.stored->dtype) ? dtype_of(type_) : piece.stored->dtype;
  }

  /// Whether an earlier run wrote it. Throws for a file that is something else.
  bool is_finished(const Planned& planned) const {
    if (!io::is_there(planned.path)) return false;
    const io::SafetensorsFile file = io::SafetensorsFile::open(planned.path);
    for (const io::MetadataEntry& entry : file.metadata()) {
      if (entry.key == kOrigin && entry.value == planned.origin) return true;
    }
    refuse(ErrorCode::kInvalidArgument,
           fmt::format("{}: is there already, and not made from these inputs in {}; delete it or "
                       "choose another output folder",
                       planned.path, request_.precision));
  }

  void check_room() const {
    uint64_t bytes = 0;
    for (const Planned& planned : planned_) bytes += planned.is_done ? 0 : planned.bytes;
    fs::path place = fs::absolute(request_.output);
    std::error_code error;
    while (!fs::exists(place, error) && place.has_relative_path()) place = place.parent_path();
    const fs::space_info space = fs::space(place, error);
    constexpr uint64_t kSpare = uint64_t{64} << 20U;
    if (error || space.available >= bytes + kSpare) return;
    refuse(ErrorCode::kIo, fmt::format("{}: {:.1f} GB are needed on its disk, {:.1f} GB are free",
                                       request_.output, static_cast<double>(bytes + kSpare) / 1e9,
                                       static_cast<double>(space.available) / 1e9));
  }

  // ---- Writing ----

  void write(const Planned& planned) {
    const auto count = static_cast<int>(planned.pieces.size());
    if (planned.is_done) {
      say_(fmt::format("{}: is there already", planned.path));
      return;
    }
    make_folder(folder_of(*planned.part));
    std::vector<io::TensorOutline> outlines;
    for (const Piece& piece : planned.pieces)
      outlines.push_back({.name = piece.name, .dtype = target_type(piece), .shape = piece.shape});
    const std::array metadata{io::MetadataEntry{"format", "pt"},
                              io::MetadataEntry{kOrigin, planned.origin}};
    report_(planned.part->name, 0, count);
    io::write_safetensors(
        planned.path, outlines, metadata, [&](size_t i, const io::WriteBytes& write) {
          const at::Tensor tensor = read(planned.pieces[i]);
          write({static_cast<const std::byte*>(tensor.const_data_ptr()), tensor.nbytes()});
          report_(planned.part->name, static_cast<int>(i) + 1, count);
        });
  }

  at::Tensor read(const Piece& piece) const {
    const io::StoredTensor& stored = *piece.stored;
    at::Tensor whole = is_floating(stored.dtype) ? read_converted(piece)
                                                 : tensor::read_tensor(*piece.file, stored);
    if (piece.parts > 1) {
      whole = whole.view({-1, piece.parts, piece.head_dim, whole.numel() / stored.shape[0]})
                  .select(1, piece.part)
                  .contiguous();
    }
    return whole.view(piece.shape);
  }

  at::Tensor read_converted(const Piece& piece) const {
    const io::StoredTensor& stored = *piece.stored;
    at::Tensor whole = at::empty({stored.shape.data(), stored.shape.size()}, type_);
    const auto element = static_cast<int64_t>(io::dtype_size(stored.dtype));
    const bool finite = tensor::read_converted(
        [&](int64_t begin, const at::Tensor& to) {
          piece.file->read(stored, static_cast<uint64_t>(begin * element),
                           {static_cast<std::byte*>(to.mutable_data_ptr()), to.nbytes()});
        },
        tensor::scalar_type(stored.dtype), whole, tensor::FiniteCheck::kCheck);
    if (!finite) {
      refuse(ErrorCode::kUnsupported,
             fmt::format("{}: tensor '{}' has values that are not finite, or too large for {}; "
                         "another precision may hold them",
                         piece.file->path(), stored.name, request_.precision));
    }
    return whole;
  }

  static void make_folder(const std::string& path) {
    std::error_code error;
    fs::create_directories(path, error);
    if (error) refuse(ErrorCode::kIo, fmt::format("{}: cannot be made: {}", path, error.message()));
  }

  static void write_text(const std::string& path, std::string_view text) {
    const std::array pieces{std::as_bytes(Span<const char>(text)),
                            std::as_bytes(Span<const char>("\n", 1))};
    io::write_file_atomically(path, pieces);
  }

  static void copy(const std::string& from, const std::string& to) {
    constexpr uint64_t kMost = uint64_t{64} << 20U;
    const std::vector<std::byte> bytes = io::InputFile::open(from).read_all(kMost);
    const Span<const std::byte> piece(bytes);
    io::write_file_atomically(to, {&piece, 1});
  }

  /// Settings and what else lies beside weights. False if nothing gives them.
  bool write_settings(const Part& part) const {
    const auto found = sources_.find({part.folder, part.name});
    const Source none;
    const Source& source = found == sources_.end() ? none : found->second;
    const std::string config = fmt::format("{}/{}", folder_of(part), part.config);
    if (source.settings.empty() && *part.settings == '\0') return io::is_there(config);
    make_folder(folder_of(part));
    if (!source.settings.empty()) {
      copy(source.settings, config);
    } else {
      std::string text = part.settings;
      // The inpainting UNet takes the mask and what is masked, too.
      constexpr std::string_view kFour = "\"in_channels\": 4";
      const size_t at = text.find(kFour);
      if (std::string_view(part.folder) == "-inpaint" && at != std::string::npos)
        text.replace(at, kFour.size(), "\"in_channels\": 9");
      write_text(config, text);
    }
    for (const std::string& file : source.side_files)
      copy(file, fmt::format("{}/{}", folder_of(part), fs::path(file).filename().string()));
    return true;
  }

  bool has_weights(const Part& part) const {
    if (*part.weights == '\0') {
      // A tokenizer is more than its settings.
      return std::string_view(part.name) != "tokenizer" ||
             std::string_view(part.folder) == "-inpaint" ||
             !existing(folder_of(part), {"sentencepiece.bpe.model", "tokenizer.json", "merges.txt"})
                  .empty();
    }
    const std::string path = fmt::format("{}/{}.safetensors", folder_of(part), part.weights);
    if (!io::is_there(path)) return false;
    return std::string_view(part.name) != "prior" ||
           io::SafetensorsFile::open(path).find("clip_mean") != nullptr;
  }

  void finish() {
    std::vector<std::string> missing;
    for (const Index& index : kIndexes) {
      if (!is_wanted(index.folder)) continue;
      bool is_complete = true;
      for (const Part& part : kParts) {
        if (std::string_view(part.folder) != index.folder) continue;
        const bool has_settings = write_settings(part);
        if (has_settings && has_weights(part)) continue;
        is_complete = false;
        missing.push_back(fmt::format("{}{}/{} ({} of {})",
                                      fs::path(request_.output).filename().string(), part.folder,
                                      part.name, part.original, part.where));
      }
      if (is_complete)
        write_text(fmt::format("{}{}/model_index.json", request_.output, index.folder), index.text);
    }
    if (missing.empty()) return;
    refuse(ErrorCode::kNotFound,
           fmt::format("{}: what was given is converted, but these are missing: {}. Give their "
                       "folder or files as inputs, too; what is there is not made again",
                       request_.output, fmt::join(missing, ", ")));
  }

  static constexpr std::string_view kOrigin = "kandinsky_origin";

  ConvertRequest request_;
  const Report& report_;
  const Say& say_;
  at::ScalarType type_;
  std::map<Place, Source> sources_;
  std::optional<std::string> statistics_;
  std::deque<Planned> planned_;
};

}  // namespace

void convert(const ConvertRequest& request, const Report& report, const Say& say) {
  Conversion(request, report, say).run();
}

}  // namespace kandinsky::convert
