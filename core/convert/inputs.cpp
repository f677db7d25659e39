#include "convert/inputs.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <initializer_list>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include "base/error.h"
#include "convert/convert.h"
#include "convert/key_map.h"
#include "convert/parts.h"
#include "io/input_file.h"
#include "io/model_dir.h"
#include "io/tensor_file.h"

namespace kandinsky::convert {
namespace {

namespace fs = std::filesystem;

class Finder {
 public:
  explicit Finder(const Say& say) : say_(say) {}

  void take(const std::string& input) {
    if (!io::is_folder(input)) {
      take_file(input);
    } else if (io::is_there(input + "/model_index.json")) {
      take_model(input);
    } else {
      take_checkpoints(input);
    }
  }

  Inputs inputs() && { return std::move(inputs_); }

 private:
  void add_weights(const Inputs::Place& place, Kind kind, std::vector<std::string> files) {
    Source& source = inputs_.sources[place];
    if (!source.weight_files.empty() && kind == source.kind) {
      throw Error(ErrorCode::kInvalidArgument,
                  fmt::format("{} and {} are both a {}{}; give one of them", source.weight_files[0],
                              files[0], place.second, place.first));
    }
    // A given checkpoint has precedence over a folder that supplies the rest.
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
        inputs_.statistics = path;
        return;
      case Kind::kUnknown:
        throw Error(ErrorCode::kInvalidArgument,
                    fmt::format("{}: not a checkpoint of Kandinsky 2.1: it has tensors such as {}",
                                path, file.tensors().empty() ? "" : file.tensors()[0].name));
    }
  }

  void take_checkpoints(const std::string& folder) {
    const auto files = existing(
        folder, {"decoder_fp16.ckpt", "decoder.ckpt", "prior_fp16.ckpt", "inpainting_fp16.ckpt",
                 "movq_final.ckpt", "ViT-L-14_stats.th", "pytorch_model.bin"});
    for (const std::string& file : files) take_file(file);
    const auto tokenizer = existing(folder, {"sentencepiece.bpe.model", "tokenizer.json",
                                             "tokenizer_config.json", "special_tokens_map.json"});
    if (!tokenizer.empty()) inputs_.sources[{"", "tokenizer"}].side_files = tokenizer;
    const std::string inner = folder + "/text_encoder";
    if (io::is_folder(inner))
      take_checkpoints(inner);
    else if (files.empty() && tokenizer.empty())
      throw Error(
          ErrorCode::kNotFound,
          fmt::format("{}: has neither a model_index.json nor an original checkpoint such as "
                      "decoder_fp16.ckpt",
                      folder));
  }

  void take_model(const std::string& path) {
    const io::ModelDir model = io::ModelDir::open(path);
    const std::string_view pipeline = model.pipeline_class();
    if (pipeline.starts_with("KandinskyV22")) {
      throw Error(
          ErrorCode::kUnsupported,
          fmt::format("{}: is a {}; only folders of Kandinsky 2.1 can be converted. Those of "
                      "2.2 are loaded as they are, in any precision",
                      path, pipeline));
    }
    const std::string folder = pipeline.find("Prior") != std::string_view::npos     ? "-prior"
                               : pipeline.find("Inpaint") != std::string_view::npos ? "-inpaint"
                                                                                    : "";
    for (const Part& part : kParts) {
      if (part.folder != folder) continue;
      const auto found = model.optional_component(part.name);
      if (!found) continue;
      Source& source = inputs_.sources[{folder, part.name}];
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
          throw Error(ErrorCode::kIo,
                      fmt::format("{}: cannot be read: {}", found->folder(), error.message()));
        }
        continue;
      }
      try {
        const io::ComponentFiles files = model.weights(part.name);
        add_weights({folder, part.name}, Kind::kUnknown,
                    {files.weights().begin(), files.weights().end()});
      } catch (const Error& error) {
        // Settings alone are enough.
        if (error.code() != ErrorCode::kNotFound && error.code() != ErrorCode::kUnsupported) throw;
        say_(error.what());
      }
    }
  }

  const Say& say_;
  Inputs inputs_;
};

}  // namespace

const Source* Inputs::find(const Part& part) const {
  const auto found = sources.find({part.folder, part.name});
  return found == sources.end() ? nullptr : &found->second;
}

bool Inputs::have(std::string_view folder) const {
  return std::ranges::any_of(sources, [&](const auto& entry) {
    const auto& [place, source] = entry;
    return place.first == folder && (!source.weight_files.empty() || !source.side_files.empty());
  });
}

Inputs find_inputs(const std::vector<std::string>& paths, const Say& say) {
  Finder finder(say);
  for (const std::string& path : paths) finder.take(path);
  Inputs inputs = std::move(finder).inputs();
  if (inputs.sources.empty()) throw Error(ErrorCode::kInvalidArgument, "no input was given");
  return inputs;
}

std::vector<std::string> existing(const std::string& folder,
                                  std::initializer_list<std::string_view> names) {
  std::vector<std::string> found;
  for (const std::string_view name : names) {
    std::string path = fmt::format("{}/{}", folder, name);
    if (io::is_there(path)) found.push_back(std::move(path));
  }
  return found;
}

}  // namespace kandinsky::convert
