#include "io/safetensors.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <ctime>
#include <optional>
#include <vector>

#include "base/limits.h"
#include "unit/support.h"

namespace kandinsky::io {
namespace {

/// A file put together by hand: header length, header, data.
std::string file_of(std::string_view header, std::string_view data,
                    std::optional<std::uint64_t> claimed_length = std::nullopt) {
  const std::uint64_t length = claimed_length.value_or(header.size());
  std::string content(8, '\0');
  std::memcpy(content.data(), &length, 8);
  return content + std::string(header) + std::string(data);
}

void expect_refused(ErrorCode code, std::string_view part, const std::string& content) {
  const test::TempFolder folder;
  const std::string path = folder.write("model.safetensors", content);
  test::expect_error(code, part, [&] { SafetensorsFile::open(path); });
  // Whatever the reason, the person must learn which file it is about.
  test::expect_error(code, path, [&] { SafetensorsFile::open(path); });
}

void expect_corrupt(std::string_view part, std::string_view header, std::string_view data) {
  expect_refused(ErrorCode::kCorruptFile, part, file_of(header, data));
}

std::string bytes_of(const SafetensorsFile& file, const StoredTensor& tensor) {
  std::string text(tensor.size, '\0');
  file.read(tensor, 0, std::as_writable_bytes(Span<char>(text)));
  return text;
}

constexpr std::string_view kTwo = R"({"b":{"dtype":"U8","shape":[2],"data_offsets":[8,10]},)"
                                  R"("a":{"dtype":"F32","shape":[2,1],"data_offsets":[0,8]}})";

TEST(Safetensors, ReadsNamesTypesShapesAndBytesInTheOrderOfTheData) {
  const test::TempFolder folder;
  const std::string path = folder.write("x", file_of(std::string(kTwo) + "   ", "AAAAAAAABB"));
  const SafetensorsFile file = SafetensorsFile::open(path);
  EXPECT_EQ(file.path(), path);
  ASSERT_EQ(file.tensors().size(), 2U);
  const StoredTensor& a = file.tensors()[0];
  EXPECT_EQ(a.name, "a");
  EXPECT_EQ(a.dtype, DType::kF32);
  EXPECT_EQ(std::vector(a.shape.begin(), a.shape.end()), (std::vector<std::int64_t>{2, 1}));
  EXPECT_EQ(bytes_of(file, a), "AAAAAAAA");
  ASSERT_EQ(file.find("b"), &file.tensors()[1]);
  EXPECT_EQ(bytes_of(file, *file.find("b")), "BB");
  EXPECT_EQ(file.find("c"), nullptr);
  EXPECT_TRUE(file.metadata().empty());
}

TEST(Safetensors, TensorsLiveAsLongAsAnyCopy) {
  const test::TempFolder folder;
  std::optional<SafetensorsFile> first =
      SafetensorsFile::open(folder.write("x", file_of(kTwo, "AAAAAAAABB")));
  const StoredTensor tensor = first->tensors()[1];
  const SafetensorsFile second = *first;
  first.reset();
  EXPECT_EQ(tensor.name, "b");
  EXPECT_EQ(bytes_of(second, tensor), "BB");
}

TEST(Safetensors, ReadsMetadataScalarsAndEmptyTensors) {
  const test::TempFolder folder;
  const std::string header = R"({"__metadata__":{"format":"pt","x":""},)"
                             R"("e":{"dtype":"F16","shape":[0,4],"data_offsets":[0,0]},)"
                             R"("s":{"dtype":"BOOL","shape":[],"data_offsets":[0,1]},)"
                             R"("f":{"dtype":"I64","shape":[3,0],"data_offsets":[1,1]}})";
  const SafetensorsFile file = SafetensorsFile::open(folder.write("x", file_of(header, "\1")));
  EXPECT_EQ(file.tensors().size(), 3U);
  EXPECT_EQ(file.find("e")->size, 0U);
  EXPECT_EQ(bytes_of(file, *file.find("e")), "");
  EXPECT_EQ(file.find("s")->shape.size(), 0U);
  ASSERT_EQ(file.metadata().size(), 2U);
  EXPECT_EQ(file.metadata()[0].key, "format");
  EXPECT_EQ(file.metadata()[0].value, "pt");
}

TEST(Safetensors, AFileWithoutTensorsIsValid) {
  const test::TempFolder folder;
  EXPECT_TRUE(SafetensorsFile::open(folder.write("x", file_of("{}", ""))).tensors().empty());
}

TEST(Safetensors, RefusesTruncatedFiles) {
  const std::string whole = file_of(kTwo, "AAAAAAAABB");
  for (std::size_t size = 0; size < whole.size(); ++size) {
    expect_refused(ErrorCode::kCorruptFile, size == 0 ? "is empty" : "truncated",
                   whole.substr(0, size));
  }
}

TEST(Safetensors, RefusesHeaderLengthsThatCannotBe) {
  expect_refused(ErrorCode::kCorruptFile, "18446744073709551615",
                 file_of("{}", "", 0xFFFFFFFFFFFFFFFFU));
  expect_refused(ErrorCode::kCorruptFile, "16777217", file_of("{}", "", (16U << 20U) + 1));
  expect_refused(ErrorCode::kCorruptFile, "truncated", file_of("{}", "", 16U << 20U));
  expect_refused(ErrorCode::kCorruptFile, "nothing but zeros", file_of("", "", 0));
  expect_refused(ErrorCode::kCorruptFile, "invalid JSON", file_of(kTwo, "AAAAAAAABB", 20));
}

TEST(Safetensors, SaysWhenItIsAGitLfsPointer) {
  expect_refused(ErrorCode::kCorruptFile, "git lfs pull",
                 "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 12345\n");
}

TEST(Safetensors, RefusesHeadersThatAreNotAnObjectOfTensors) {
  expect_corrupt("invalid JSON", "{\"a\":", "");
  expect_corrupt("invalid JSON", "\xFF\xFE{}", "");
  expect_corrupt("invalid JSON", "{} x", "");
  expect_corrupt("expected an object", "[]", "");
  expect_corrupt("expected an object", "3", "");
  expect_corrupt("expected an object", "null", "");
  expect_corrupt("'a' is the number 3", R"({"a":3})", "");
  expect_corrupt("'a' is a list", R"({"a":[]})", "");
  expect_corrupt("unexpected key 'extra'", R"({"a":{"extra":1}})", "");
  expect_corrupt("missing", R"({"a":{"dtype":"U8","shape":[1]}})", "x");
  expect_corrupt("missing", R"({"a":{}})", "");
  expect_corrupt("no name", R"({"":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}})", "x");
  expect_corrupt("expected a text", R"({"__metadata__":{"a":1}})", "");
  expect_corrupt("an object", R"({"__metadata__":{"a":{}}})", "");
  // Nesting as deep as the file is long must not exhaust the stack or the memory.
  expect_corrupt("'a' is a list", R"({"a":)" + std::string(1'000'000, '['), "");
}

TEST(Safetensors, RefusesBadTypesShapesAndOffsets) {
  const auto tensor = [](std::string_view dtype, std::string_view shape, std::string_view offsets) {
    return R"({"a":{"dtype":)" + std::string(dtype) + R"(,"shape":)" + std::string(shape) +
           R"(,"data_offsets":)" + std::string(offsets) + "}}";
  };
  expect_refused(ErrorCode::kUnsupported, "F8_E4M3",
                 file_of(tensor(R"("F8_E4M3")", "[1]", "[0,1]"), "x"));
  expect_corrupt("dtype is", tensor("5", "[1]", "[0,1]"), "x");
  expect_corrupt("shape contains the number -1", tensor(R"("U8")", "[-1]", "[0,1]"), "x");
  expect_corrupt("shape contains the number 1.5", tensor(R"("U8")", "[1.5]", "[0,1]"), "x");
  expect_corrupt("shape contains null", tensor(R"("U8")", "[null]", "[0,1]"), "x");
  expect_corrupt("shape contains a list", tensor(R"("U8")", "[[1]]", "[0,1]"), "x");
  expect_corrupt("shape is a text", tensor(R"("U8")", R"("1")", "[0,1]"), "x");
  expect_corrupt("too large", tensor(R"("U8")", "[9223372036854775808]", "[0,1]"), "x");
  expect_corrupt("too large", tensor(R"("U8")", "[4294967296,4294967296]", "[0,0]"), "");
  expect_corrupt("too large", tensor(R"("F64")", "[2305843009213693952]", "[0,0]"), "");
  expect_corrupt("more than 16 dimensions",
                 tensor(R"("U8")", "[1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1]", "[0,1]"), "x");
  expect_corrupt("needs 4 bytes", tensor(R"("F32")", "[1]", "[0,3]"), "xyz");
  expect_corrupt("backwards", tensor(R"("U8")", "[1]", "[1,0]"), "x");
  expect_corrupt("not have two", tensor(R"("U8")", "[1]", "[0]"), "x");
  expect_corrupt("more than two", tensor(R"("U8")", "[1]", "[0,1,2]"), "x");
  expect_corrupt("number -1", tensor(R"("U8")", "[1]", "[-1,0]"), "x");
  expect_corrupt("truncated", tensor(R"("U8")", "[9223372036854775807]", "[0,9223372036854775807]"),
                 "x");
  expect_corrupt("needs 1 bytes", tensor(R"("U8")", "[1]", "[0,18446744073709551615]"), "x");
}

TEST(Safetensors, RefusesGapsOverlapsAndLeftovers) {
  const auto two = [](std::string_view first, std::string_view second) {
    return R"({"a":{"dtype":"U8","shape":[2],"data_offsets":)" + std::string(first) +
           R"(},"b":{"dtype":"U8","shape":[2],"data_offsets":)" + std::string(second) + "}}";
  };
  expect_corrupt("overlaps", two("[0,2]", "[1,3]"), "xyz");
  expect_corrupt("overlaps", two("[0,2]", "[0,2]"), "xy");
  expect_corrupt("1 unused bytes", two("[0,2]", "[3,5]"), "xyzuv");
  expect_corrupt("1 unused bytes", two("[1,3]", "[3,5]"), "xyzuv");
  expect_corrupt("3 bytes after", two("[0,2]", "[2,4]"), "xyzuvwt");
}

TEST(Safetensors, RefusesNamesThatRepeat) {
  const std::string one = R"({"dtype":"U8","shape":[1],"data_offsets":[0,1]})";
  expect_corrupt("'a' appears twice", R"({"a":)" + one + R"(,"a":)" + one + "}", "x");
  expect_corrupt("'shape' appears twice",
                 R"({"a":{"dtype":"U8","shape":[1],"shape":[1],"data_offsets":[0,1]}})", "x");
}

TEST(Safetensors, RefusesAHostileHeaderAtOnceAndInLittleMemory) {
  const test::TempFolder folder;
  const auto expect_cheap = [&](std::string_view part, const std::string& content) {
    const std::string path = folder.write("x", content);
    const std::clock_t begin = std::clock();  // of this process: others may be busy
    const std::size_t peak = test::peak_of([&] {
      test::expect_error(ErrorCode::kCorruptFile, part, [&] { SafetensorsFile::open(path); });
    });
    EXPECT_LT(std::clock() - begin, test::kSanitizerCost * CLOCKS_PER_SEC) << part;
    EXPECT_LT(peak, std::size_t{8} * test::kSanitizerCost * limits::kMaxSafetensorsHeaderBytes)
        << part;
  };
  const auto metadata = [](std::size_t bytes) {
    std::string header = R"({"__metadata__":{)";
    for (std::size_t i = 0; header.size() < bytes; ++i) header += fmt::format(R"("{:x}":"",)", i);
    return header + R"("z":""}})";
  };
  expect_cheap("at most 16777216 are allowed", file_of(std::string(100'000'000, ' '), ""));
  expect_cheap("more than 10000 metadata entries", file_of(metadata(16'000'000), ""));
  std::string tensors = "{";
  for (std::size_t i = 0; tensors.size() < 16'000'000; ++i)
    tensors += fmt::format(R"("{:x}":{{"dtype":"U8","shape":[0],"data_offsets":[0,0]}},)", i);
  tensors.back() = '}';
  expect_cheap("more than 100000 tensors", file_of(tensors, ""));
  expect_cheap("invalid JSON", file_of("{\"" + std::string(16'000'000, 'x'), ""));
}

TEST(Safetensors, RefusesAFileThatChangedSinceItWasOpened) {
  const test::TempFolder folder;
  const std::string whole = file_of(kTwo, "AAAAAAAABB");
  const auto expect_changed = [&](const std::string& now) {
    const std::string path = folder.write("x", whole);
    std::filesystem::last_write_time(path, {});
    const SafetensorsFile file = SafetensorsFile::open(path);
    folder.write("x", now);
    for (const char* name : {"a", "b"}) {
      for (const std::string_view part :
           {std::string_view("while it is in use"), std::string_view(path)})
        test::expect_error(ErrorCode::kCorruptFile, part,
                           [&] { bytes_of(file, *file.find(name)); });
    }
  };
  expect_changed("");
  expect_changed(whole.substr(0, whole.size() - 1));
  expect_changed(whole + "x");
  expect_changed(file_of(kTwo, "CCCCCCCCDD"));
  // Replaced by rename, as writers should: what was opened is still there.
  const std::string path = folder.write("x", whole);
  const SafetensorsFile file = SafetensorsFile::open(path);
  std::filesystem::rename(folder.write("y", ""), path);
  EXPECT_EQ(bytes_of(file, *file.find("b")), "BB");
}

TEST(Safetensors, WritesWhatItReads) {
  const test::TempFolder folder;
  const std::string path = folder.path("out.safetensors");
  const std::array<std::int64_t, 2> numbers = {-1, 1LL << 40};
  const std::array<std::int64_t, 1> two = {2};
  const std::array<std::int64_t, 3> flat = {1, 3, 1};
  const std::array<std::int64_t, 1> none = {0};
  const std::string text = "xyz";
  const std::array tensors = {
      TensorView{"z.bytes", DType::kU8, flat, std::as_bytes(Span<const char>(text))},
      TensorView{"слой \"1\"", DType::kI64, two, std::as_bytes(Span<const std::int64_t>(numbers))},
      TensorView{"empty", DType::kBF16, none, {}},
  };
  const std::array metadata = {MetadataEntry{"format", "pt"}, MetadataEntry{"prompt", "кот"}};
  write_safetensors(path, tensors, metadata);
  EXPECT_EQ(folder.num_files(), 1U);

  const SafetensorsFile file = SafetensorsFile::open(path);
  ASSERT_EQ(file.tensors().size(), 3U);
  for (const TensorView& written : tensors) {
    const StoredTensor* read = file.find(written.name);
    ASSERT_NE(read, nullptr) << written.name;
    EXPECT_EQ(read->dtype, written.dtype);
    EXPECT_TRUE(std::ranges::equal(read->shape, written.shape));
    const std::string bytes = bytes_of(file, *read);
    EXPECT_TRUE(std::ranges::equal(std::as_bytes(Span<const char>(bytes)), written.bytes));
  }
  ASSERT_EQ(file.metadata().size(), 2U);
  EXPECT_EQ(file.metadata()[1].value, "кот");
  // Readers that map the file count on an aligned start of the data.
  const std::string content = test::read_file(path);
  std::uint64_t header_size = 0;
  std::memcpy(&header_size, content.data(), 8);
  EXPECT_EQ(header_size % 8, 0U);
}

TEST(Safetensors, RefusesToWriteWhatNobodyCouldRead) {
  const test::TempFolder folder;
  const std::string path = folder.path("out.safetensors");
  const std::array<std::int64_t, 1> two = {2};
  const std::string text = "xy";
  const auto view = [&](std::string_view name) {
    return TensorView{name, DType::kU8, two, std::as_bytes(Span<const char>(text))};
  };
  const auto refuse = [&](std::string_view part, const std::vector<TensorView>& tensors,
                          const std::vector<MetadataEntry>& metadata = {}) {
    test::expect_error(ErrorCode::kInvalidArgument, part,
                       [&] { write_safetensors(path, tensors, metadata); });
  };
  refuse("twice", {view("a"), view("a")});
  refuse("not a usable name", {view("")});
  refuse("not a usable name", {view("__metadata__")});
  refuse("UTF-8", {view("\xFF")});
  refuse("UTF-8", {view("a")}, {{"k", "\xFF"}});
  refuse("twice", {view("a")}, {{"k", "1"}, {"k", "2"}});
  TensorView wrong = view("a");
  wrong.dtype = DType::kI16;
  refuse("does not fit 2 bytes", {wrong});
  EXPECT_EQ(folder.num_files(), 0U);
  test::expect_error(ErrorCode::kNotFound, "folder does not exist", [&] {
    write_safetensors(folder.path("no/out"), std::vector<TensorView>{view("a")});
  });
}

}  // namespace
}  // namespace kandinsky::io
