#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "cli/arguments.h"
#include "cli/commands.h"
#include "cli/declare.h"
#include "cli/generate_job.h"
#include "cli/option_groups.h"
#include "cli/output_place.h"
#include "cli/progress_bar.h"
#include "cli/session.h"
#include "cli/streams.h"
#include "jobs/digests.h"
#include "jobs/distinct_lines.h"
#include "jobs/files.h"
#include "jobs/request.h"
#include "jobs/request_file.h"
#include "jobs/worker.h"

namespace kandinsky::cli {
namespace {

struct BatchOptions : GenerateJob {
  std::string file;
  std::string defaults;  ///< path; empty: none
  std::string shard = "1/1";
  bool keep_going = false;
};

/// Of "2/8": lines of the second of eight shares.
struct Shard {
  std::int32_t number = 1;
  std::int32_t count = 1;

  static Shard parse(const std::string& text) {
    constexpr std::int32_t kMost = 1'000'000;
    const std::size_t slash = text.find('/');
    if (slash == std::string::npos) {
      throw StatusError(KANDINSKY_INVALID_ARGUMENT,
                        fmt::format("--shard: \"{}\" is not a share such as 2/8", text));
    }
    const std::int32_t count = parse_integer("--shard", text.substr(slash + 1), 1, kMost);
    return {parse_integer("--shard", text.substr(0, slash), 1, count), count};
  }

  /// By the id, so that a line's share does not depend on the other lines.
  bool has(const std::string& id) const {
    constexpr std::size_t kDigits = 15;
    const std::uint64_t hash = std::stoull(jobs::sha256(id).substr(0, kDigits), nullptr, 16);
    return hash % static_cast<std::uint64_t>(count) == static_cast<std::uint64_t>(number - 1);
  }

  std::string manifest() const {
    return count == 1 ? "manifest.jsonl" : fmt::format("manifest-{}-of-{}.jsonl", number, count);
  }
};

/// Lines that cannot run, each message once.
class BadLines {
 public:
  explicit BadLines(std::string file) : file_(std::move(file)) {}

  void add(std::size_t number, const StatusError& error) {
    if (count_++ == 0) status_ = error.status();
    const auto [place, is_new] = places_.try_emplace(error.what(), messages_.size());
    if (is_new)
      messages_.push_back({number, error.what(), 0});
    else
      ++messages_[place->second].more;
  }

  std::size_t count() const { return count_; }
  kandinsky_status status() const { return status_; }

  void say() const {
    constexpr std::size_t kMost = 20;
    for (std::size_t i = 0; i < std::min(messages_.size(), kMost); ++i) {
      const Message& message = messages_[i];
      say_line(fmt::format("{}:{}: {}{}", file_, message.number, message.text,
                           message.more == 0 ? "" : fmt::format(" (and {} more)", message.more)));
    }
    if (messages_.size() > kMost)
      say_line(fmt::format("... and {} more messages", messages_.size() - kMost));
  }

 private:
  struct Message {
    std::size_t number;  ///< of the first line
    std::string text;
    std::size_t more;
  };
  std::string file_;
  std::size_t count_ = 0;
  kandinsky_status status_ = KANDINSKY_OK;
  std::vector<Message> messages_;
  std::map<std::string, std::size_t> places_;  ///< by text
};

/// "5633", "12.4"
std::string rate_text(double images_per_hour) {
  return fmt::format("{:.{}f}", images_per_hour, images_per_hour < 100 ? 1 : 0);
}

/// The progress of a batch, as text.
class Pace {
 public:
  Pace(std::size_t done, const std::vector<jobs::Line>& left)
      : done_(done), count_(done + left.size()) {
    for (const jobs::Line& line : left) work_left_ += line.work;
  }

  void add(const jobs::Line& line, bool is_made) {
    work_left_ -= line.work;
    work_done_ += line.work;
    made_ += is_made ? 1 : 0;
  }

  std::size_t made() const { return made_; }
  std::size_t done() const { return done_ + made_; }
  std::size_t count() const { return count_; }
  double seconds() const {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
  }
  double images_per_hour() const { return static_cast<double>(made_) * 3600 / seconds(); }

  std::string text() const {
    std::string text = fmt::format("{} of {} images", done(), count_);
    if (made_ > 0) {
      text += fmt::format(", {} an hour, {} left", rate_text(images_per_hour()),
                          clock_text(seconds() / work_done_ * work_left_));
    }
    return text;
  }

 private:
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
  std::size_t done_;
  std::size_t count_;
  std::size_t made_ = 0;
  double work_done_ = 0;
  double work_left_ = 0;
};

jobs::RequestReader make_reader(const BatchOptions& options) {
  const std::size_t slash = options.file.rfind('/');
  jobs::RequestReader reader(options.settings,
                             slash == std::string::npos ? "" : options.file.substr(0, slash + 1));
  constexpr std::uint64_t kMostBytes = std::uint64_t{1} << 20U;
  if (!options.defaults.empty())
    reader.set_defaults(jobs::read_file(options.defaults, kMostBytes), options.defaults);
  return reader;
}

/// The file's requests, each image once.
std::vector<jobs::Line> check_lines(const std::vector<jobs::FileLine>& file, jobs::Worker& worker,
                                    Session& session, BadLines& bad) {
  jobs::DistinctLines lines("line");
  std::size_t repeated = 0;
  for (const jobs::FileLine& from : file) {
    session.check_interrupt();
    try {
      const std::size_t first = lines.add(worker.check(from.number, from.json));
      if (first == from.number) continue;
      ++repeated;
      if (repeated == 1) {
        session.remark(
            fmt::format("line {} repeats line {}, the image is generated once; "
                        "another \"seed\" gives another image",
                        from.number, first));
      }
    } catch (const StatusError& error) {
      bad.add(from.number, error);
    }
  }
  if (repeated > 1) session.remark(fmt::format("{} lines repeat others", repeated));
  return lines.take();
}

void run_batch(const BatchOptions& options) {
  const Shard shard = Shard::parse(options.shard);
  Session session(options.quiet);
  const std::vector<jobs::FileLine> file = jobs::read_request_file(options.file);
  jobs::RequestReader reader = make_reader(options);
  const OutputPlace output(options.output.ends_with('/') ? options.output : options.output + "/",
                           1);
  if (options.threads) set_num_threads(*options.threads);
  const std::size_t threads = options.threads ? static_cast<std::size_t>(*options.threads)
                                              : std::thread::hardware_concurrency();
  const auto worker = std::make_shared<jobs::Worker>(
      std::move(reader), options.output, shard.manifest(), threads,
      jobs::Worker::Reports{.progress =
                                [&](const kandinsky_progress& progress) {
                                  if (!options.quiet) session.bar().update(progress);
                                  return session.signal() != 0 ? KANDINSKY_CANCEL
                                                               : KANDINSKY_CONTINUE;
                                },
                            .message = [&](const char* message) { session.remark(message); }});
  session.set_cancel([worker] { worker->cancel(); });

  BadLines bad(options.file);
  std::vector<jobs::Line> lines = check_lines(file, *worker, session, bad);
  if (bad.count() > 0 && !options.keep_going) {
    bad.say();
    throw StatusError(bad.status(), fmt::format("{} of {} lines cannot run; nothing was generated "
                                                "(--keep-going runs the others)",
                                                bad.count(), file.size()));
  }
  std::erase_if(lines, [&](const jobs::Line& line) { return !shard.has(line.id); });
  const std::size_t wanted = lines.size();
  std::erase_if(lines, [&](const jobs::Line& line) { return worker->find(line) != nullptr; });
  Pace pace(wanted - lines.size(), lines);
  if (pace.done() > 0)
    session.remark(fmt::format("{} of {} images already exist", pace.done(), wanted));

  BadLines failed(options.file);
  session.bar().set_whole(pace.text());
  try {
    worker->run(std::move(lines), [&](const jobs::Outcome& outcome) {
      session.bar().clear_line();
      const bool is_made = outcome.status == KANDINSKY_OK;
      pace.add(*outcome.line, is_made);
      if (is_made) {
        print(options.output + (options.output.ends_with('/') ? "" : "/") + outcome.finished.file +
              "\n");
      } else {
        failed.add(outcome.line->number, StatusError(outcome.status, outcome.message));
        say_line(fmt::format("{}:{}: {}", options.file, outcome.line->number, outcome.message));
      }
      session.bar().set_whole(pace.text());
    });
  } catch (const StatusError& error) {
    session.bar().clear_line();
    if (session.signal() != 0) {
      throw Stopped(session.signal(),
                    fmt::format("stopped, {} of {} images are done; the same command resumes",
                                pace.done(), wanted));
    }
    throw StatusError(error.status(), fmt::format("{} of {} images are done: {}", pace.done(),
                                                  wanted, error.what()));
  }
  session.bar().clear_line();
  if (pace.made() > 0) {
    session.remark(fmt::format("{} images in {}, {} an hour", pace.made(),
                               clock_text(pace.seconds()), rate_text(pace.images_per_hour())));
  }
  bad.say();
  if (bad.count() + failed.count() > 0) {
    throw StatusError(failed.count() > 0 ? failed.status() : bad.status(),
                      fmt::format("{} of {} images are done, see above for the others", pace.done(),
                                  wanted + bad.count()));
  }
}

}  // namespace

void add_batch(CLI::App& app) {
  auto options = std::make_shared<BatchOptions>();
  CLI::App& command = add_command(
      app, "batch", "Generate the images of a file of requests, each once",
      "Each line is a JSON object of options for one image:\n"
      "  {\"prompt\": \"a red circle\", \"seed\": 1, \"width\": 512, \"num_inference_steps\": 25}\n"
      "  {\"prompt\": \"a cat\", \"image\": \"sketch.png\", \"strength\": 0.6, \"id\": \"cat\"}\n"
      "`prompt`, `seed`, `image` and `mask` replace the lists of docs/options.md, which has all\n"
      "other names. A .csv file has the names in its first line, a .txt file has a prompt on each\n"
      "line. The whole file is checked before the first step.\n\n"
      "An image is saved as FOLDER/<id>.png; the default \"id\" is a hash of everything that\n"
      "determines the image. FOLDER/manifest.jsonl gets a line for each finished image. The same\n"
      "command again generates only missing images.\n\n"
      "Paths of saved images are printed to standard output, everything else to standard error.\n"
      "Ctrl-C stops at the next step and keeps finished images.\n\n"
      "Example:\n"
      "  kandinsky batch jobs.jsonl --model models/Kandinsky/kandinsky-2-1 --output images/",
      [options] { run_batch(*options); });
  OptionGroup group(command, "Batch");
  require(group.file("JOBS", options->file, "FILE.jsonl|.csv|.txt", "File of requests"));
  require(group.file("--output", options->output, "FOLDER",
                     "Folder for the images and the manifest, created if it does not exist"));
  group.file("--defaults", options->defaults, "FILE.json",
             "A JSON object of defaults for options that lines leave out");
  group.name("--shard", options->shard, "I/N",
             "Run only share I of N, chosen by id, for N machines or processes");
  group.flag("--keep-going", options->keep_going, true,
             "Run the valid lines of a file with invalid ones, and list these at the end");
  group.flag("--quiet", options->quiet, true, "Print errors only, no progress and remarks");
  add_model_options(command, *options);
}

}  // namespace kandinsky::cli
