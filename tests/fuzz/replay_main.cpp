/// Runs a target over files and folders of inputs, with any compiler: `fuzz_x [--seconds N]
/// [--megabytes N] PATH...` Ends with 1 where an input takes longer than that, or the process more
/// memory; a broken promise aborts.
#include <sys/resource.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <string_view>
#include <vector>

#include "fuzz/fuzz.h"

namespace {

namespace fs = std::filesystem;

struct Limits {
  double seconds = 10;  // a machine that does ten things at once is slow, a hang is slower
  long megabytes = 1024;
};

long peak_megabytes() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return usage.ru_maxrss / 1024;
}

/// Whether the input kept within the limits.
bool replay(const fs::path& path, const Limits& limits) {
  std::ifstream stream(path, std::ios::binary);
  const std::string content{std::istreambuf_iterator<char>(stream), {}};
  // A copy of just that size, so that a sanitizer sees a read beyond it.
  const std::vector<std::uint8_t> data(content.begin(), content.end());
  std::fprintf(stderr, "%s\n",
               path.c_str());  // the last line names the input that ended the program
  const auto start = std::chrono::steady_clock::now();
  LLVMFuzzerTestOneInput(data.data(), data.size());
  const std::chrono::duration<double> taken = std::chrono::steady_clock::now() - start;
  if (taken.count() > limits.seconds) {
    std::fprintf(stderr, "%s took %.1f s, at most %.1f are allowed\n", path.c_str(), taken.count(),
                 limits.seconds);
    return false;
  }
  if (peak_megabytes() > limits.megabytes) {
    std::fprintf(stderr, "%s took %ld MB, at most %ld are allowed\n", path.c_str(),
                 peak_megabytes(), limits.megabytes);
    return false;
  }
  return true;
}

template <typename Number>
bool parse(std::string_view text, Number* value) {
  return std::from_chars(text.data(), text.data() + text.size(), *value).ec == std::errc();
}

}  // namespace

int main(int count, char** arguments) {
  Limits limits;
  std::vector<fs::path> inputs;
  for (int i = 1; i < count; ++i) {
    const std::string_view argument = arguments[i];
    const bool has_value = i + 1 < count;
    if (argument == "--seconds" && has_value && parse(arguments[i + 1], &limits.seconds)) {
      ++i;
    } else if (argument == "--megabytes" && has_value &&
               parse(arguments[i + 1], &limits.megabytes)) {
      ++i;
    } else if (fs::is_directory(argument)) {
      for (const auto& entry : fs::recursive_directory_iterator(argument)) {
        if (entry.is_regular_file()) inputs.push_back(entry.path());
      }
    } else if (fs::is_regular_file(argument)) {
      inputs.emplace_back(argument);
    } else {
      std::fprintf(stderr, "%s: neither an option nor a file or folder\n", arguments[i]);
      return 2;
    }
  }
  if (inputs.empty()) {
    std::fprintf(stderr, "there is no input\n");
    return 2;
  }
  std::sort(inputs.begin(), inputs.end());
  LLVMFuzzerTestOneInput(nullptr, 0);
  bool kept = true;
  for (const fs::path& input : inputs) kept = replay(input, limits) && kept;
  std::printf("%zu inputs, %ld MB at most\n", inputs.size() + 1, peak_megabytes());
  return kept ? 0 : 1;
}
