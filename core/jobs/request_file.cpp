#include "jobs/request_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "jobs/files.h"
#include "jobs/json.h"
#include "jobs/json_values.h"
#include "jobs/text.h"
#include "kandinsky.hpp"

namespace kandinsky::jobs {
namespace {

/// Calls function(number, line) for each non-empty line, without its line break.
template <typename Function>
void for_each_line(std::string_view text, const Function& function) {
  for (std::size_t number = 1; !text.empty(); ++number) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = stripped(text.substr(0, end));
    if (!line.empty()) function(number, line);
    text.remove_prefix(std::min(end + 1, text.size()));
  }
}

/// A row of a CSV file and its first line.
struct Row {
  std::size_t number = 0;
  std::vector<std::string> cells;
};

/// Source: RFC 4180.
std::vector<Row> read_csv(std::string_view text) {
  std::vector<Row> rows;
  std::size_t number = 1;
  while (!text.empty()) {
    Row row{.number = number, .cells = {""}};
    bool is_quoted = false;
    for (bool is_over = false; !text.empty() && !is_over; text.remove_prefix(1)) {
      const char c = text.front();
      if (c == '\n') ++number;
      if (is_quoted && c == '"' && text.substr(1).starts_with('"')) {
        row.cells.back() += c;
        text.remove_prefix(1);
      } else if (c == '"' && (is_quoted || row.cells.back().empty())) {
        is_quoted = !is_quoted;
      } else if (c == ',' && !is_quoted) {
        row.cells.emplace_back();
      } else if (c == '\n' && !is_quoted) {
        is_over = true;
      } else if (c != '\r' || is_quoted) {
        row.cells.back() += c;
      }
    }
    if (is_quoted) {
      refuse(fmt::format("the quote that begins in line {} is not closed", row.number));
    }
    if (row.cells.size() > 1 || !stripped(row.cells.front()).empty())
      rows.push_back(std::move(row));
  }
  return rows;
}

/// Options whose values are numbers, true or false.
std::set<std::string> plain_options() {
  std::set<std::string> names{"seed", "variation_seed"};
  for (const std::string& operation : operation_names()) {
    for (const kandinsky_option_info& info : option_infos(operation)) {
      if (info.type <= KANDINSKY_NUMBER) names.insert(info.name);
    }
  }
  return names;
}

std::vector<FileLine> csv_requests(std::string_view text) {
  const std::set<std::string> plain = plain_options();
  const std::vector<Row> rows = read_csv(text);
  std::vector<FileLine> lines;
  for (std::size_t i = 1; i < rows.size(); ++i) {
    const Row& row = rows[i];
    const std::vector<std::string>& names = rows.front().cells;
    if (row.cells.size() > names.size()) {
      refuse(fmt::format("line {} has {} cells, but the first line has {}", row.number,
                         row.cells.size(), names.size()));
    }
    Json request = Json::object();
    for (std::size_t column = 0; column < row.cells.size(); ++column) {
      const std::string& cell = row.cells[column];
      if (cell.empty()) continue;
      const std::string name(stripped(names[column]));
      const std::optional<Json> value = plain.count(name) > 0 ? parse_scalar(cell) : std::nullopt;
      request[name] = value && !value->is_null() ? *value : Json(cell);
    }
    lines.push_back({row.number, request.dump()});
  }
  return lines;
}

}  // namespace

std::vector<FileLine> read_requests(std::string_view text, std::string_view ending) {
  constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";
  if (text.starts_with(kByteOrderMark)) text.remove_prefix(kByteOrderMark.size());
  if (ending != ".jsonl" && ending != ".csv" && ending != ".txt")
    refuse("the file name must end in .jsonl, .csv or .txt");
  for_each_line(text, [&](std::size_t number, std::string_view line) {
    // For a JSON object the reader reports it.
    if (!is_utf8(line) && ending != ".jsonl") refuse(fmt::format("line {} is not UTF-8", number));
  });
  std::vector<FileLine> lines;
  if (ending == ".csv") {
    lines = csv_requests(text);
  } else {
    for_each_line(text, [&](std::size_t number, std::string_view line) {
      lines.push_back(
          {number, ending == ".txt" ? Json({{"prompt", line}}).dump() : std::string(line)});
    });
  }
  if (lines.empty()) refuse("the file has no request");
  return lines;
}

std::vector<FileLine> read_request_file(const std::string& path) {
  const std::string text = read_file(path, kAnySize);
  try {
    return read_requests(text, lower(std::filesystem::path(path).extension().string()));
  } catch (const StatusError& error) {
    throw StatusError(error.status(), fmt::format("{}: {}", path, error.what()));
  }
}

}  // namespace kandinsky::jobs
