#include "io/torch_file.h"

#include <array>
#include <cstring>
#include <vector>

#include "base/limits.h"
#include "io/safetensors.h"
#include "unit/support.h"

namespace kandinsky::io {
namespace {

using namespace std::string_literals;
using enum ErrorCode;

/// What torch.save wrote; see fuzz/make_corpus.py.
std::string corpus(const std::string& name) {
  return std::string(KANDINSKY_TESTS_DIR) + "/fuzz/corpus/torch_file/" + name;
}

template <typename Number>
std::vector<Number> values_of(const TensorFile& file, std::string_view name) {
  const StoredTensor* const tensor = file.find(name);
  if (tensor == nullptr) return {};
  std::vector<Number> values(tensor->size / sizeof(Number));
  file.read(*tensor, 0, std::as_writable_bytes(Span<Number>(values)));
  return values;
}

std::vector<std::int64_t> shape_of(const TensorFile& file, std::string_view name) {
  const auto shape = file.find(name)->shape;
  return {shape.begin(), shape.end()};
}

/// A pickle without data beside it, in the form before archives, which begins with three others.
std::string legacy(const std::string& pickle) {
  return "\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.\x80\x02M\xe9\x03.\x80\x02}."s +
         "\x80\x02" + pickle;
}

void expect_refused(ErrorCode code, std::string_view part, const std::string& content) {
  const test::TempFolder folder;
  const std::string path = folder.write("unet.ckpt", content);
  test::expect_error(code, part, [&] { TorchFile::open(path); });
  test::expect_error(code, path, [&] { TorchFile::open(path); });
}

TEST(TorchFile, ReadsWhatPyTorchWrote) {
  for (const char* name : {"weights", "weights-legacy"}) {
    const TensorFile file = TorchFile::open(corpus(name));
    ASSERT_EQ(file.tensors().size(), 8U) << name;
    EXPECT_EQ(file.tensors()[0].name, "conv.weight");
    EXPECT_EQ(shape_of(file, "conv.weight"), (std::vector<std::int64_t>{2, 3}));
    EXPECT_EQ(values_of<float>(file, "conv.weight"), (std::vector<float>{0, 1, 2, 3, 4, 5}));
    EXPECT_EQ(file.find("conv.bias")->dtype, DType::kBF16);
    EXPECT_EQ(values_of<std::uint16_t>(file, "conv.bias")[0], 0x40C0);  // 6
    EXPECT_EQ(shape_of(file, "half"), (std::vector<std::int64_t>{1, 3, 4, 1}));
    EXPECT_EQ(values_of<std::uint16_t>(file, "half")[2], 0x4000);  // 2
    EXPECT_EQ(values_of<float>(file, "view"), (std::vector<float>{2, 3, 4, 5}));
    EXPECT_EQ(values_of<std::int64_t>(file, "position_ids"),
              (std::vector<std::int64_t>{0, 1, 2, 3, 4}));
    EXPECT_EQ(values_of<float>(file, "parameter"), (std::vector<float>{1, 1}));
    EXPECT_EQ(shape_of(file, "none"), (std::vector<std::int64_t>{0, 4}));
    EXPECT_EQ(values_of<std::int64_t>(file, "scalar"), (std::vector<std::int64_t>{7}));
  }
  for (const char* name : {"kinds", "kinds-legacy"})
    EXPECT_EQ(values_of<double>(TorchFile::open(corpus(name)), "torch.float64"),
              (std::vector<double>{1, 1, 1}));
}

TEST(TorchFile, FindsTheWeightsOfTrainersAndInLists) {
  for (const std::string form : {"", "-legacy"}) {
    const TensorFile wrapped = TorchFile::open(corpus("wrapped" + form));
    ASSERT_EQ(wrapped.tensors().size(), 1U);
    EXPECT_EQ(values_of<float>(wrapped, "a").size(), 12U);
    const TensorFile stats = TorchFile::open(corpus("stats" + form));
    EXPECT_EQ(values_of<float>(stats, "1"), (std::vector<float>{1, 1, 1, 1}));
  }
}

TEST(TorchFile, RunsNothingAndSaysWhatWasToBeRun) {
  for (const std::string form : {"", "-legacy"}) {
    const auto refused = [&](const std::string& name, std::string_view part) {
      test::expect_error(kUnsupported, part, [&] { TorchFile::open(corpus(name + form)); });
    };
    refused("calls", "'b' is a call of posix.system, not a tensor; nothing in it was run");
    refused("only-calls", "it holds a call of posix.system; nothing in it was run");
    refused("no-tensors", "it holds no tensors; its entries are 'lr', 'steps', 'name'");
    refused("strided", "tensor 'a': shape [4, 3] with strides [1, 4] is not stored row by row");
    refused("complex", "ComplexFloatStorage is not a supported type of weights");
  }
  test::expect_error(kCorruptFile, "a tensor's name is a number",
                     [] { TorchFile::open(corpus("number-keys")); });
  expect_refused(kUnsupported, "instruction 0x30", legacy("cos\nsystem\n(X\2\0\0\0idtR0}."s));
}

TEST(TorchFile, RefusesBadArchives) {
  const auto refused = [](ErrorCode code, const char* name, std::string_view part) {
    test::expect_error(code, part, [&] { TorchFile::open(corpus(name)); });
  };
  refused(kCorruptFile, "up", "'a/../../b' in the ZIP archive has a name that leads out of it");
  refused(kUnsupported, "packed", "is compressed");
  refused(kCorruptFile, "overlap", "overlap");
  refused(kCorruptFile, "short", "storage '0' has 1 bytes, expected 48");
  refused(kUnsupported, "big-endian", "byte order is not that of this machine");
  refused(kUnsupported, "script", "a TorchScript program");
  refused(kUnsupported, "no-pickle", "without a data.pkl");
}

TEST(TorchFile, RefusesEveryTruncation) {
  const test::TempFolder folder;
  for (const char* name : {"weights", "weights-legacy"}) {
    const std::string whole = test::read_file(corpus(name));
    for (std::size_t size = 0; size < whole.size(); size += 1 + size / 40) {
      const std::string path = folder.write("x", whole.substr(0, size));
      test::expect_error(kCorruptFile, path, [&] { TorchFile::open(path); });
    }
  }
}

TEST(TorchFile, BoundsWhatAPickleAsksFor) {
  const auto refused = [](std::string_view part, const std::string& pickle) {
    expect_refused(kCorruptFile, part, legacy(pickle));
  };
  refused("it ends too early", std::string(200'000, 'N'));
  refused("more than 1000000 values", std::string(limits::kMaxPickleValues, 'N'));
  refused("its values are nested more than 1000 deep", std::string(2000, '('));
  refused("it ends too early", "X\xff\xff\xff\x7f"s);
  refused("was not memoized", "h\7.");
  refused("a value is missing", "0}s."s.substr(1));
  refused("a mark is missing", "u.");
  refused("not UTF-8", "X\1\0\0\0\xff."s);
  refused("its protocol would be 9", "\x80\x09.");
  // A billion instructions, of which no more is read than a pickle may have.
  const test::TempFolder folder;
  const std::string path = folder.write("endless.ckpt", legacy(""));
  std::filesystem::resize_file(path, 1'000'000'000);
  test::expect_error(kUnsupported, "instruction 0x00", [&] { TorchFile::open(path); });
  const std::string busy = folder.write("busy.ckpt", legacy("]q\0"s));
  std::string content = test::read_file(busy);
  while (content.size() < 2 * limits::kMaxPickleBytes) content += "h\0q\0"s;
  folder.write("busy.ckpt", content);
  const std::size_t peak = test::peak_of(
      [&] { test::expect_error(kCorruptFile, busy, [&] { TorchFile::open(busy); }); });
  EXPECT_LT(peak, test::kSanitizerCost * (std::size_t{64} << 20U));
}

TEST(TorchFile, ChecksWhatATensorSaysOfItself) {
  // {"a": _rebuild_tensor_v2(('storage', FloatStorage, '0', 'cpu', 4), offset, shape, strides)}
  const auto with = [](const std::string& offset, const std::string& shape,
                       const std::string& strides, const std::string& elements = "K\4") {
    return legacy(
        "}X\1\0\0\0actorch._utils\n_rebuild_tensor_v2\n((X\7\0\0\0storagectorch\n"
        "FloatStorage\nX\1\0\0\0000X\3\0\0\0cpu"s +
        elements + "tQ" + offset + shape + strides + "tRs.\x80\2]X\1\0\0\0000a."s +
        "\4\0\0\0\0\0\0\0"s + std::string(16, '\1'));
  };
  const test::TempFolder folder;
  const std::string good = folder.write("x", with("K\1", "K\3\x85", "K\1\x85"));
  EXPECT_EQ(TorchFile::open(good).find("a")->size, 12U);
  expect_refused(kCorruptFile, "it uses elements 2 to 5 of a storage of 4",
                 with("K\2", "K\3\x85", "K\1\x85"));
  expect_refused(kCorruptFile, "elements 9 to 9", with("K\x09", "K\0\x85"s, "K\1\x85"));
  expect_refused(kCorruptFile, "is too large",
                 with("K\1", "\x8a\x08\xff\xff\xff\xff\xff\xff\xff\x7f\x85", "K\1\x85"));
  expect_refused(kCorruptFile, "not whole numbers",
                 with("J\xff\xff\xff\xff", "K\1\x85", "K\1\x85"));
  expect_refused(kCorruptFile, "not whole numbers", with("K\1", "K\1K\1\x86", "K\1\x85"));
  expect_refused(kUnsupported, "is not stored row by row", with("K\1", "K\2\x85", "K\0\x85"s));
  expect_refused(kCorruptFile, "truncated: storage '0' has 400 bytes, 24 are there",
                 with("K\1", "K\1\x85", "K\1\x85", "K\x64"));
  expect_refused(kCorruptFile, "another number of elements",
                 with("K\1", "K\1\x85", "K\1\x85", "K\3"));
  expect_refused(kCorruptFile, "would have 9223372036854775807 elements",
                 with("K\1", "K\1\x85", "K\1\x85", "\x8a\x08\xff\xff\xff\xff\xff\xff\xff\x7f"));
}

TEST(TorchFile, IsOpenedByWhatItIs) {
  const test::TempFolder folder;
  const std::string copy = folder.write("weights.bin", test::read_file(corpus("weights")));
  EXPECT_EQ(open_weight_file(copy).tensors().size(), 8U);
  const std::string legacy_copy =
      folder.write("weights.ckpt", test::read_file(corpus("weights-legacy")));
  EXPECT_EQ(open_weight_file(legacy_copy).tensors().size(), 8U);
  const float value = 1;
  const std::array tensors{
      TensorView{"x", DType::kF32, {}, std::as_bytes(Span<const float>(&value, 1))}};
  write_safetensors(folder.path("other.bin"), tensors);
  EXPECT_NE(open_weight_file(folder.path("other.bin")).find("x"), nullptr);
  const std::string lying = folder.write("x.safetensors", test::read_file(corpus("weights")));
  test::expect_error(kCorruptFile, "expected a safetensors file",
                     [&] { (void)open_weight_file(lying); });
}

TEST(TorchFile, SaysThatItChanged) {
  const test::TempFolder folder;
  const std::string path = folder.write("x.bin", test::read_file(corpus("weights")));
  const TensorFile file = TorchFile::open(path);
  folder.write("x.bin", "short");
  test::expect_error(kCorruptFile, "its size changed",
                     [&] { values_of<float>(file, "conv.weight"); });
}

}  // namespace
}  // namespace kandinsky::io
