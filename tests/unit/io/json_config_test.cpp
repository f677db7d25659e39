#include "io/json_config.h"

#include <array>
#include <ctime>
#include <optional>

#include "base/limits.h"
#include "unit/support.h"

namespace kandinsky::io {
namespace {

using Ints = std::vector<std::int64_t>;
using Doubles = std::vector<double>;

JsonConfig sample() {
  return JsonConfig::parse(R"({
    "int": 5, "big": 9223372036854775807, "huge": 9223372036854775808, "negative": -3,
    "float": 0.5, "round": 5.0, "yes": true, "text": "кот", "none": null,
    "ints": [1, 2], "mixed": [1, "a"], "floats": [0.5, 1], "texts": ["a", null, "b"],
    "outer": {"inner": {"x": 1, "bad": "y"}}
  })",
                           "unet/config.json");
}

TEST(JsonConfig, GivesTypedValues) {
  const JsonConfig config = sample();
  EXPECT_EQ(config.source(), "unet/config.json");
  EXPECT_EQ(config.get_int("int"), 5);
  EXPECT_EQ(config.get_int("big"), 9223372036854775807);
  EXPECT_EQ(config.get_int("negative"), -3);
  EXPECT_EQ(config.get_double("float"), 0.5);
  EXPECT_EQ(config.get_double("int"), 5.0);
  EXPECT_TRUE(config.get_bool("yes"));
  EXPECT_EQ(config.get_string_view("text"), "кот");
  EXPECT_EQ(config.get_ints("ints"), (Ints{1, 2}));
  EXPECT_EQ(config.get_ints("int"), (Ints{5}));
  EXPECT_EQ(config.get_doubles("floats"), (Doubles{0.5, 1.0}));
  EXPECT_EQ(config.get_doubles("float"), (Doubles{0.5}));
  EXPECT_EQ(config.get_string_views("texts"), (std::vector<std::string_view>{"a", "b"}));
  EXPECT_TRUE(config.is_list("ints"));
  EXPECT_FALSE(config.is_list("int"));
  EXPECT_FALSE(config.is_list("absent"));
  EXPECT_TRUE(config.is_object("outer"));
  EXPECT_FALSE(config.is_object("ints"));
}

TEST(JsonConfig, FallsBackOnlyWhereAKeyIsAbsentOrNull) {
  const JsonConfig config = sample();
  const std::array<std::int64_t, 2> ints = {7, 8};
  const std::array<double, 1> doubles = {0.25};
  for (const char* key : {"absent", "none"}) {
    EXPECT_FALSE(config.has(key));
    EXPECT_EQ(config.get_int(key, 7), 7);
    EXPECT_EQ(config.get_double(key, 0.25), 0.25);
    EXPECT_TRUE(config.get_bool(key, true));
    EXPECT_EQ(config.get_string_view(key, "x"), "x");
    EXPECT_EQ(config.get_ints(key, ints), (Ints{7, 8}));
    EXPECT_EQ(config.get_doubles(key, doubles), (Doubles{0.25}));
    test::expect_error(ErrorCode::kCorruptFile, std::string("'") + key + "' is missing",
                       [&] { (void)config.get_int(key); });
  }
  EXPECT_EQ(config.get_int("int", 7), 5);
  // A value of the wrong type is an error, never the fallback.
  test::expect_error(ErrorCode::kCorruptFile, "'text'", [&] { (void)config.get_int("text", 7); });
}

TEST(JsonConfig, WrongTypesNameFileKeyValueAndExpectation) {
  const JsonConfig config = sample();
  const auto wrong = [&](std::string_view part, const std::function<void()>& get) {
    test::expect_error(ErrorCode::kCorruptFile, part, get);
  };
  wrong("unet/config.json: 'text' is \"\\u043a\\u043e\\u0442\", expected a whole number",
        [&] { (void)config.get_int("text"); });
  wrong("'round' is 5.0, expected a whole number", [&] { (void)config.get_int("round"); });
  wrong("'huge' is 9223372036854775808", [&] { (void)config.get_int("huge"); });
  wrong("'yes' is true, expected a number", [&] { (void)config.get_double("yes"); });
  wrong("'int' is 5, expected true or false", [&] { (void)config.get_bool("int"); });
  wrong("'int' is 5, expected a text", [&] { (void)config.get_string_view("int"); });
  wrong("'mixed' is \"a\", expected whole numbers", [&] { (void)config.get_ints("mixed"); });
  wrong("'mixed' is \"a\", expected numbers", [&] { (void)config.get_doubles("mixed"); });
  wrong("'text' is", [&] { (void)config.get_string_views("text"); });
  wrong("'mixed' is 1, expected texts", [&] { (void)config.get_string_views("mixed"); });
  wrong("'ints' is a list, expected an object", [&] { (void)config.get_object("ints"); });
}

TEST(JsonConfig, NestedObjectsKeepTheDocumentAliveAndNameTheWholePath) {
  std::optional<JsonConfig> config = sample();
  const JsonConfig inner = config->get_object("outer").get_object("inner");
  config.reset();
  EXPECT_EQ(inner.get_int("x"), 1);
  EXPECT_EQ(inner.get_string_view("bad"), "y");
  test::expect_error(ErrorCode::kCorruptFile, "'outer.inner.bad' is",
                     [&] { (void)inner.get_int("bad"); });
  test::expect_error(ErrorCode::kCorruptFile, "'outer.inner.gone' is missing",
                     [&] { (void)inner.get_int("gone"); });
}

TEST(JsonConfig, KeysAreSortedAndWithoutNulls) {
  const JsonConfig config = JsonConfig::parse(R"({"b": 1, "a": 2, "c": null})", "x");
  EXPECT_EQ(config.keys(), (std::vector<std::string_view>{"a", "b"}));
}

TEST(JsonConfig, RefusesTextThatIsNoJsonObject) {
  const auto refuse = [](std::string_view part, std::string_view text) {
    test::expect_error(ErrorCode::kCorruptFile, part,
                       [&] { JsonConfig::parse(text, "config.json"); });
  };
  refuse("the file is empty", "");
  refuse("invalid JSON at byte", "{\"a\": ");
  refuse("invalid JSON at byte", "{\"a\": 1,}");
  refuse("invalid JSON at byte", "{\"a\": NaN}");
  refuse("invalid JSON at byte", "{\"a\": \"\xFF\"}");
  refuse("out of range", "{\"a\": 1e999}");
  refuse("holds a list, expected an object", "[1]");
  refuse("holds \"x\"", "\"x\"");
  refuse("too many", std::string(limits::kMaxJsonBytes + 1, ' '));
}

TEST(JsonConfig, RefusesHostileTextsAtOnceAndInLittleMemory) {
  const auto refuse = [](std::string_view part, const std::string& text) {
    const std::clock_t begin = std::clock();  // of this process: others may be busy
    const std::size_t peak = test::peak_of([&] {
      test::expect_error(ErrorCode::kCorruptFile, part,
                         [&] { JsonConfig::parse(text, "config.json"); });
    });
    EXPECT_LT(std::clock() - begin, CLOCKS_PER_SEC) << part;
    EXPECT_LT(peak, 8 * limits::kMaxJsonBytes) << part;
  };
  const auto repeated = [](std::string_view part) {
    std::string text = "{\"a\": [";
    while (text.size() + part.size() < limits::kMaxJsonBytes) text += part;
    return text;
  };
  refuse("inside each other are too many, at most 32", std::string(limits::kMaxJsonBytes, '['));
  refuse("inside each other are too many, at most 32", repeated("{\"a\":"));
  refuse("values are too many, at most 250000", repeated("[],"));
  refuse("values are too many, at most 250000", repeated("0,"));
  refuse("values are too many, at most 250000", repeated("{\"a\":\"\"},"));
  refuse("invalid JSON", repeated("x"));
}

TEST(JsonConfig, NestsAsDeepAsTheCap) {
  const auto nested = [](std::size_t lists) {
    return "{\"a\": " + std::string(lists, '[') + std::string(lists, ']') + "}";
  };
  EXPECT_TRUE(JsonConfig::parse(nested(limits::kMaxJsonDepth - 1), "x").is_list("a"));
  test::expect_error(ErrorCode::kCorruptFile, "at most 32",
                     [&] { JsonConfig::parse(nested(limits::kMaxJsonDepth), "x"); });
}

TEST(JsonConfig, OfAKeyThatIsThereTwiceTheLastValueCounts) {
  const JsonConfig config = JsonConfig::parse(
      R"({"a": 1, "b": {"x": 1}, "c": [1], "a": 2, "b": {"y": 2}, "c": null})", "x");
  EXPECT_EQ(config.get_int("a"), 2);
  EXPECT_EQ(config.get_object("b").keys(), (std::vector<std::string_view>{"y"}));
  EXPECT_FALSE(config.has("c"));
}

TEST(JsonConfig, LoadsFilesAndNamesThem) {
  const test::TempFolder folder;
  EXPECT_EQ(JsonConfig::load(folder.write("a.json", "{\"x\": 1}")).get_int("x"), 1);
  const std::string bad = folder.write("b.json", "{");
  test::expect_error(ErrorCode::kCorruptFile, bad, [&] { JsonConfig::load(bad); });
  test::expect_error(ErrorCode::kNotFound, "c.json",
                     [&] { JsonConfig::load(folder.path("c.json")); });
}

}  // namespace
}  // namespace kandinsky::io
