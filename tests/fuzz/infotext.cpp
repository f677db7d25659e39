/// The parameters' text as the command line writes it, read as Automatic1111 reads it: what was set
/// is what is pasted. Source: AUTOMATIC1111/stable-diffusion-webui,
/// infotext_utils.parse_generation_parameters.
#include <cctype>
#include <map>
#include <nlohmann/json.hpp>
#include <string>

#include "fuzz/fuzz.h"
#include "jobs/parameters.h"

namespace fuzz = kandinsky::fuzz;
namespace jobs = kandinsky::jobs;

namespace {

/// What Python's \s and str.strip() take for blanks.
constexpr std::string_view kBlanks[] = {"\t",     "\n",     "\v",     "\f",     "\r",     "\x1C",
                                        "\x1D",   "\x1E",   "\x1F",   " ",      "\u0085", "\u00A0",
                                        "\u1680", "\u2000", "\u2001", "\u2002", "\u2003", "\u2004",
                                        "\u2005", "\u2006", "\u2007", "\u2008", "\u2009", "\u200A",
                                        "\u2028", "\u2029", "\u202F", "\u205F", "\u3000"};

/// Bytes of the blank that the text starts with; 0 if there is none.
std::size_t blank_at_front(std::string_view text) {
  for (const std::string_view blank : kBlanks) {
    if (text.starts_with(blank)) return blank.size();
  }
  return 0;
}
std::size_t blank_at_back(std::string_view text) {
  for (const std::string_view blank : kBlanks) {
    if (text.ends_with(blank)) return blank.size();
  }
  return 0;
}
/// \w of a pattern over characters: what is not ASCII may be a letter.
bool is_word(char c) {
  return static_cast<unsigned char>(c) >= 0x80 ||
         std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_';
}
bool is_key(char c) {
  return is_word(c) || std::string_view(" -/").find(c) != std::string_view::npos;
}

std::string_view stripped(std::string_view text) {
  while (const std::size_t size = blank_at_front(text)) text.remove_prefix(size);
  while (const std::size_t size = blank_at_back(text)) text.remove_suffix(size);
  return text;
}

/// The place behind a text in quotes that a comma or the end follows; 0 if there is none.
std::size_t quoted_end(std::string_view line, std::size_t at) {
  if (at >= line.size() || line[at] != '"') return 0;
  std::size_t end = at + 1;
  while (end < line.size() && line[end] != '"') {
    if (line[end] == '\\' && ++end == line.size()) return 0;
    ++end;
  }
  if (end >= line.size() || end == at + 1) return 0;
  ++end;
  return end == line.size() || line[end] == ',' ? end : 0;
}

/// All of r'\s*(\w[\w \-/]+):\s*("(?:\\.|[^\\"])+"|[^,]*)(?:,|$)'.
std::vector<std::pair<std::string, std::string>> pairs(std::string_view line) {
  std::vector<std::pair<std::string, std::string>> found;
  std::size_t at = 0;
  while (at < line.size()) {
    std::size_t begin = at;
    while (const std::size_t blank = blank_at_front(line.substr(begin))) begin += blank;
    std::size_t colon = begin;
    if (colon < line.size() && is_word(line[colon])) {
      while (colon < line.size() && is_key(line[colon])) ++colon;
    }
    if (colon >= line.size() || colon < begin + 2 || line[colon] != ':') {
      ++at;
      continue;
    }
    std::size_t value = colon + 1;
    while (const std::size_t blank = blank_at_front(line.substr(value))) value += blank;
    std::size_t end = quoted_end(line, value);
    if (end == 0) end = std::min(line.find(',', value), line.size());
    found.emplace_back(line.substr(begin, colon - begin), line.substr(value, end - value));
    at = end + 1;
  }
  return found;
}

struct Read {
  std::string prompt;
  std::string negative_prompt;
  std::map<std::string, std::string> settings;
};

Read read_as_the_host_does(std::string_view text) {
  Read read;
  text = stripped(text);
  const std::size_t last_line = text.rfind('\n');
  fuzz::require(last_line != std::string_view::npos || text.starts_with("Steps"),
                "settings are a line of their own");
  std::string_view lines = last_line == std::string_view::npos ? "" : text.substr(0, last_line);
  const std::string_view last = text.substr(last_line + 1);
  bool is_negative = false;
  bool first = true;
  while (first || !lines.empty()) {
    first = false;
    const std::size_t end = lines.find('\n');
    std::string_view line = stripped(lines.substr(0, end));
    lines.remove_prefix(end == std::string_view::npos ? lines.size() : end + 1);
    constexpr std::string_view kNegative = "Negative prompt:";
    if (line.starts_with(kNegative)) {
      is_negative = true;
      line = stripped(line.substr(kNegative.size()));
    }
    std::string& to = is_negative ? read.negative_prompt : read.prompt;
    if (!to.empty()) to += '\n';
    to += line;
  }
  const auto all = pairs(last);
  fuzz::require(all.size() >= 3, "the host sees a line of settings");
  for (const auto& [key, value] : all) {
    // An empty value is an error of the host's, which then forgets the key.
    if (value.empty()) continue;
    std::string& setting = read.settings[key];
    if (value.front() != '"' || value.back() != '"') {
      setting = value;
      continue;
    }
    const auto json = nlohmann::json::parse(value, nullptr, false);
    setting = json.is_string() ? json.get<std::string>() : value;
  }
  return read;
}

/// A text from the input, made UTF-8, as the command line only takes that.
std::string text_of(fuzz::Input* input) {
  std::string text(input->part(std::string_view("\0", 1)));
  text.resize(std::min(text.size(), kandinsky::find_invalid_utf8(text)));
  return text;
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::Input input(data, size);
  jobs::Job job;
  job.settings.set("num_inference_steps", std::int64_t{input.number(1, 1000)});
  job.size.width = input.number(1, 16384);
  job.size.height = input.number(1, 16384);
  job.settings.set("guidance_scale", input.number(0, 1000) / 10.0);
  job.seeds = {static_cast<std::uint64_t>(input.number(0, 65535))};
  job.settings.set("tiling", input.flag());
  const int present = input.byte();
  const bool has_image = input.flag();
  const bool has_mask = input.flag();
  if (has_image) job.images.resize(1);
  if (has_mask) job.masks.resize(1);
  job.settings.set("mask_blur", std::int64_t{input.byte()});
  const std::string model = text_of(&input);
  if ((present & 1) != 0) job.prompt = text_of(&input);
  if ((present & 2) != 0) job.negative_prompt = text_of(&input);
  if ((present & 4) != 0) job.negative_prior_prompt = text_of(&input);
  if ((present & 8) != 0) {
    job.mix.push_back(
        {.kind = jobs::MixItem::Kind::kText, .value = text_of(&input), .weight = 0.5});
    job.mix.push_back(
        {.kind = jobs::MixItem::Kind::kImage, .value = text_of(&input), .weight = 1.5});
  }
  kandinsky_engine_info info{};
  info.device = "cpu";
  info.precision = "fp32";
  info.inpaint_dir = "";
  info.own_sampler = "DDIM";
  info.changes = "prior_model: own.safetensors [1a2b3c4d]\n";

  const std::string text = jobs::parameters_text(job, 0, model, info);
  fuzz::require(kandinsky::find_invalid_utf8(text) == std::string_view::npos, "the text is UTF-8");
  const Read read = read_as_the_host_does(text);
  const auto expect = [&](const char* key, const std::string& value) {
    const auto found = read.settings.find(key);
    fuzz::require(found != read.settings.end() && found->second == value,
                  std::string(key) + " comes back in:", text);
  };
  expect("Steps", job.settings.text("num_inference_steps"));
  expect("Seed", std::to_string(job.seeds[0]));
  expect("Size", std::to_string(job.size.width) + "x" + std::to_string(job.size.height));
  expect("Sampler", jobs::sampler_of(job.settings, info));
  expect("Model", model);
  expect("Kandinsky prior model", "own.safetensors [1a2b3c4d]");
  expect("Kandinsky precision", info.precision);
  expect("Version", std::string("kandinsky ") + kandinsky_version());
  if (job.negative_prior_prompt)
    expect("Kandinsky negative prior prompt", *job.negative_prior_prompt);
  if (has_mask) expect("Mask blur", job.settings.text("mask_blur"));
  // Blanks at the ends of lines are the host's to drop.
  const bool is_one_line = job.prompt && job.prompt->find('\n') == std::string::npos &&
                           !stripped(*job.prompt).starts_with("Negative prompt:");
  if (is_one_line)
    fuzz::require(read.prompt == stripped(*job.prompt), "the prompt comes back in:", text);
  if (is_one_line && job.negative_prompt && job.negative_prompt->find('\n') == std::string::npos &&
      !stripped(*job.negative_prompt).starts_with("Negative prompt:"))
    fuzz::require(read.negative_prompt == stripped(*job.negative_prompt),
                  "the negative prompt comes back in:", text);
  return 0;
}
