#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cli/commands.h"
#include "cli/declare.h"
#include "cli/marked.h"
#include "cli/streams.h"
#include "jobs/settings.h"
#include "kandinsky.hpp"

namespace kandinsky::cli {
namespace {

using Components = std::vector<kandinsky_component_info>;

struct InfoOptions {
  bool json = false;
  jobs::Settings settings;  ///< of the engine, and the size
};

/// The memory plan of an image.
struct Memory {
  kandinsky_memory_plan plan{};
  std::string text;
  std::string precision;
  std::int32_t width = 0;
  std::int32_t height = 0;
};

Memory plan_memory(const jobs::Settings& settings) {
  Engine engine(settings.options("engine"));
  const kandinsky_engine_info info = engine.info();
  const auto side = [&](const char* name) {
    return settings.has(name) ? static_cast<std::int32_t>(settings.number(name)) : info.native_size;
  };
  Memory memory{.plan = {},
                .text = {},
                .precision = info.precision,
                .width = side("width"),
                .height = side("height")};
  memory.plan = engine.plan_memory(memory.width, memory.height);
  memory.text = memory.plan.text;
  return memory;
}

/// "1.24 G", "865.9 M", "12 k"
std::string short_count(std::uint64_t count) {
  if (count >= 1'000'000'000) return fmt::format("{:.2f} G", static_cast<double>(count) / 1e9);
  if (count >= 1'000'000) return fmt::format("{:.1f} M", static_cast<double>(count) / 1e6);
  if (count >= 1'000) return fmt::format("{:.1f} k", static_cast<double>(count) / 1e3);
  return fmt::format("{}", count);
}

std::string short_bytes(std::uint64_t bytes) {
  return short_count(bytes) + (bytes >= 1000 ? "B" : " B");
}

void print_table(const std::vector<std::vector<std::string>>& rows,
                 std::size_t first_right_column) {
  std::vector<std::size_t> widths(rows.front().size());
  for (const auto& row : rows) {
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  }
  for (const auto& row : rows) {
    std::string line;
    for (std::size_t i = 0; i < row.size(); ++i) {
      line += i < first_right_column ? fmt::format("{:<{}}  ", row[i], widths[i])
                                     : fmt::format("{:>{}}  ", row[i], widths[i]);
    }
    fmt::print("{}\n", line.substr(0, line.find_last_not_of(' ') + 1));
  }
}

/// A description of the role.
std::string role_text(std::string_view role) {
  if (role == "model") return "decoder";
  if (role == "hint") return "decoder with depth control: needs a hint";
  if (role == "inpaint") return "decoder for inpainting";
  return std::string(role.empty() ? "unknown" : role);
}

void print_text(const Folder& folder, const std::string& role, const Components& components,
                const std::optional<Memory>& memory) {
  fmt::print("pipeline     {}\n", folder.pipeline());
  fmt::print("family       {}\n", folder.family().empty() ? "unknown" : folder.family());
  fmt::print("role         {}\n", role_text(role));
  if (folder.native_size() > 0) fmt::print("native size  {0} x {0}\n", folder.native_size());
  fmt::print("\n");
  std::vector<std::vector<std::string>> rows = {
      {"component", "class", "checked", "dtype", "tensors", "parameters", "bytes"}};
  std::uint64_t tensors = 0;
  std::uint64_t parameters = 0;
  std::uint64_t bytes = 0;
  for (const kandinsky_component_info& component : components) {
    const bool has_weights = component.tensors > 0;
    rows.push_back({component.name, component.class_name,
                    component.is_checked != 0 ? "yes" : "config only", component.dtype,
                    has_weights ? fmt::format("{}", component.tensors) : "",
                    has_weights ? short_count(component.parameters) : "",
                    has_weights ? short_bytes(component.bytes) : ""});
    tensors += component.tensors;
    parameters += component.parameters;
    bytes += component.bytes;
  }
  rows.push_back({"total", "", "", "", fmt::format("{}", tensors), short_count(parameters),
                  short_bytes(bytes)});
  print_table(rows, 4);
  if (!memory) return;
  fmt::print("\nmemory of an image of {} x {} in {}\n", memory->width, memory->height,
             memory->precision);
  fmt::print("allowed      {}\n", short_bytes(memory->plan.budget));
  fmt::print("smallest     {}\n", short_bytes(memory->plan.least));
  fmt::print("plan         {}\n", memory->text);
}

/// Names come from the folder's files: invalid UTF-8 is replaced.
void print_json(const Folder& folder, const std::string& role, const Components& components,
                const std::optional<Memory>& memory) {
  nlohmann::ordered_json json{{"pipeline", folder.pipeline()},
                              {"family", folder.family()},
                              {"role", role},
                              {"native_size", folder.native_size()},
                              {"components", nlohmann::ordered_json::array()},
                              {"parameters", 0},
                              {"bytes", 0}};
  std::uint64_t parameters = 0;
  std::uint64_t bytes = 0;
  for (const kandinsky_component_info& component : components) {
    json["components"].push_back({{"name", component.name},
                                  {"class_name", component.class_name},
                                  {"dtype", component.dtype},
                                  {"tensors", component.tensors},
                                  {"parameters", component.parameters},
                                  {"bytes", component.bytes},
                                  {"checked", component.is_checked != 0}});
    parameters += component.parameters;
    bytes += component.bytes;
  }
  json["parameters"] = parameters;
  json["bytes"] = bytes;
  if (memory) {
    json["memory"] = {{"width", memory->width},
                      {"height", memory->height},
                      {"precision", memory->precision},
                      {"budget", memory->plan.budget},
                      {"peak", memory->plan.peak},
                      {"least", memory->plan.least},
                      {"holds_everything", memory->plan.holds_everything != 0},
                      {"text", memory->text}};
  }
  print(json.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n");
}

}  // namespace

void add_info(CLI::App& app) {
  auto options = std::make_shared<InfoOptions>();
  jobs::Settings& settings = options->settings;
  auto dir = std::make_shared<std::string>();
  CLI::App* command = app.add_subcommand("info", "Show the contents of a model folder");
  command->add_option("DIR", *dir, "Model or prior folder, in diffusers' folder layout")
      ->required();
  command->add_flag("--json", options->json, "Print JSON with exact numbers");
  OptionGroup group(*command, "Memory");
  CLI::Option* max_memory =
      group.setting("max_memory", settings)
          ->description(
              "Also show the memory plan of a job within this limit, such as 3GB; needs the prior "
              "beside the model folder");
  for (const char* name : {"precision", "int8_weights"})
    group.setting(name, settings)->needs(max_memory);
  group.size("--size", "width", "height", settings)
      ->description("Size of the image. Default: the model's training size")
      ->needs(max_memory);
  command->footer(
      "\"checked\" covers a component's config, its tokenizer and the names and shapes of its "
      "weights, but not\ntheir values. With exit code 4 the message names the corrupt file.\n\n"
      "Examples:\n  kandinsky info models/Kandinsky/kandinsky-2-1\n"
      "  kandinsky info models/Kandinsky/kandinsky-2-1 --max-memory 3GB --size 768x768");
  command->callback([options, dir] {
    options->settings.set("model_dir", unmarked(*dir));
    const Folder folder(unmarked(*dir));
    const Components components = folder.components();
    std::optional<Memory> memory;
    if (options->settings.has("max_memory")) memory = plan_memory(options->settings);
    const std::string role = recognize_folder(unmarked(*dir)).role;
    options->json ? print_json(folder, role, components, memory)
                  : print_text(folder, role, components, memory);
  });
}

}  // namespace kandinsky::cli
