#include <fmt/format.h>

#include <algorithm>
#include <cstddef>
#include <string>
#include <vector>

#include "cli/commands.h"
#include "cli/declare.h"
#include "cli/streams.h"
#include "kandinsky.hpp"

namespace kandinsky::cli {
namespace {

void print_table(const std::vector<std::string>& names,
                 const std::vector<std::string>& descriptions) {
  std::size_t width = 0;
  for (const std::string& name : names) width = std::max(width, name.size());
  for (std::size_t i = 0; i < names.size(); ++i)
    print(fmt::format("{:<{}}  {}\n", names[i], width, descriptions[i]));
}

}  // namespace

void add_samplers(CLI::App& app) {
  add_command(app, "samplers", "List the samplers", "",
              [] { print_table(sampler_names(), sampler_descriptions()); });
}

void add_schedulers(CLI::App& app) {
  add_command(app, "schedulers", "List the schedulers, the spacings of a sampler's noise levels",
              "", [] { print_table(scheduler_names(), scheduler_descriptions()); });
}

void add_speedups(CLI::App& app) {
  add_command(app, "speedups", "List the speed-ups that --without can disable", "",
              [] { print_table(speedup_names(), speedup_descriptions()); });
}

}  // namespace kandinsky::cli
