#include "base/log.h"

#include <gtest/gtest.h>

#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace kandinsky {
namespace {

using Messages = std::vector<std::pair<LogLevel, std::string>>;

void collect(void* user_data, LogLevel level, const char* message) {
  static_cast<Messages*>(user_data)->emplace_back(level, message);
}

TEST(Log, GoesToTheSinkAndNowhereWithoutOne) {
  Messages messages;
  log_message(LogLevel::kWarning, "nobody hears this");
  set_log_sink(collect, &messages);
  log_message(LogLevel::kInfo, std::string_view("three words here").substr(0, 11));
  set_log_sink(nullptr, nullptr);
  log_message(LogLevel::kWarning, "nor this");
  ASSERT_EQ(messages.size(), 1U);
  EXPECT_EQ(messages[0], std::pair(LogLevel::kInfo, std::string("three words")));
}

TEST(Log, CallsAreOneAtATime) {
  Messages messages;
  set_log_sink(collect, &messages);
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([] {
      for (int i = 0; i < 250; ++i) log_message(LogLevel::kDebug, "x");
    });
  }
  for (std::thread& thread : threads) thread.join();
  set_log_sink(nullptr, nullptr);
  EXPECT_EQ(messages.size(), 1000U);
}

}  // namespace
}  // namespace kandinsky
