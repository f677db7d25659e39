// What a small file may cost.
#include <malloc.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <string>

#include "base/limits.h"
#include "io/images/codec.h"
#include "io/images/image_files.h"
#include "unit/io/images/image_files.h"
#include "unit/support.h"

namespace kandinsky::io {
namespace {

using namespace std::string_literals;

constexpr std::int64_t kMegabyte = 1 << 20;

/// By how many bytes reading a file lets a process grow at the most. It is not an error if the file
/// is refused.
std::int64_t memory_to_read(std::string_view file) {
  int ends[2] = {-1, -1};
  EXPECT_EQ(::pipe(ends), 0);
  ::malloc_trim(0);  // or the child would read into what the test has freed
  const pid_t child = ::fork();
  if (child == 0) {
    const auto most = [] {
      rusage usage = {};
      ::getrusage(RUSAGE_SELF, &usage);
      return std::int64_t{usage.ru_maxrss} * 1024;
    };
    const std::int64_t before = most();
    try {
      (void)decode_image(view(file), ImageChannels::kAsStored, "x");
    } catch (const Error&) {
    }
    const std::int64_t grown = most() - before;
    ::_exit(::write(ends[1], &grown, sizeof(grown)) == sizeof(grown) ? 0 : 1);
  }
  std::int64_t grown = -1;
  EXPECT_EQ(::read(ends[0], &grown, sizeof(grown)), static_cast<ssize_t>(sizeof(grown)));
  int status = 0;
  EXPECT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  ::close(ends[0]);
  ::close(ends[1]);
  return grown;
}

/// A PNG of one value all over.
std::string flat_png(std::uint32_t width, std::uint32_t height, char depth, char colour,
                     std::size_t bytes_per_pixel) {
  return png_of(width, height, depth, colour,
                std::string((1 + bytes_per_pixel * width) * height, '\0'));
}

void refuse(std::string_view part, std::string_view file) {
  test::expect_error(ErrorCode::kInvalidArgument, part,
                     [&] { (void)decode_image(view(file), ImageChannels::kAsStored, "upload"); });
}

TEST(ImageLimits, MemoryIsThatOfTheResult) {
  constexpr std::uint32_t kSide = 2048;
  const std::int64_t grey = memory_to_read(flat_png(kSide, kSide, 8, 0, 1));
  EXPECT_GE(grey, kSide * kSide);  // it is measured
  EXPECT_LE(grey, kSide * kSide + 8 * kMegabyte);
  // 16 bits are reduced row by row.
  const std::int64_t deep = memory_to_read(flat_png(kSide, kSide, 16, 6, 8));
  EXPECT_GE(deep, 4 * kSide * kSide);
  EXPECT_LE(deep, 4 * kSide * kSide + 8 * kMegabyte);
  const Bytes jpeg = encode_image(flat(kSide, kSide, {1, 2, 3}), ImageFormat::kJpeg);
  EXPECT_LE(memory_to_read(std::string(jpeg.begin(), jpeg.end())),
            3 * kSide * kSide + 8 * kMegabyte);
}

TEST(ImageLimits, AFewBytesCannotAskForMoreThanTheCap) {
  static_assert(std::int64_t{16384} * 16384 > limits::kMaxImagePixels);
  const std::string cap = std::to_string(limits::kMaxImagePixels);
  // 34 bytes: lossless, 16,383 a side, each of its five codes a single one.
  const std::string webp =
      "RIFF\x1A\0\0\0WEBPVP8L\x0E\0\0\0\x2F\xFE\xBF\xFF\x0F\x88\x88\x08\0\0\0\0\0\0"s;
  ASSERT_EQ(webp.size(), 34U);
  refuse("16383 x 16383 pixels are too many, at most 65535 a side and " + cap + " in all", webp);
  EXPECT_LE(memory_to_read(webp), 4 * kMegabyte);
  const std::string png = png_of(16384, 16384, 16, 6, "");
  refuse("16384 x 16384 pixels are too many, at most 65535 a side and " + cap + " in all", png);
  EXPECT_LE(memory_to_read(png), 4 * kMegabyte);
}

TEST(ImageLimits, AFileMayBeTooLong) {
  // Only its length is looked at.
  const std::string_view file("", limits::kMaxImageFileBytes + 1);
  refuse("268435457 bytes are too many for an image file, at most 268435456", file);
}

TEST(ImageLimits, ScansOfAProgressiveJpegAreCounted) {
  // Of one grey block: its mean, then over and over its mean's next bit, which is always 0.
  const std::string start = "\xFF\xD8\xFF\xDB\0\x43\0"s + std::string(64, '\1') +
                            "\xFF\xC2\0\x0B\x08\0\x08\0\x08\1\1\x11\0"s + "\xFF\xC4\0\x14\0\1"s +
                            std::string(15, '\0') + "\0"s + "\xFF\xDA\0\x08\1\1\0\0\0\1\x7F"s;
  const std::string scan = "\xFF\xDA\0\x08\1\1\0\0\0\x10\x7F"s;
  const auto of_scans = [&](int count) {
    std::string file = start;
    for (int i = 1; i < count; ++i) file += scan;
    return file + "\xFF\xD9"s;
  };
  expect_same(decode_image(view(of_scans(limits::kMaxJpegScans)), ImageChannels::kAsStored, "x"),
              flat(8, 8, {128}));
  refuse("has more than 100 scans", of_scans(limits::kMaxJpegScans + 1));
}

TEST(ImageLimits, SegmentsBesideAJpegTakeNoMoreThanTheirShare) {
  const Bytes whole = encode_image(flat(8, 8, {1, 2, 3}), ImageFormat::kJpeg);
  std::string file(whole.begin(), whole.end());
  std::string segments;
  for (int i = 0; i < 1'000'000; ++i) segments += "\xFF\xE1\0\2"s;
  file.insert(2, segments);
  // Kept in a list that is walked for each, they took minutes.
  const auto begin = std::chrono::steady_clock::now();
  EXPECT_EQ(decode_image(view(file), ImageChannels::kAsStored, "x").width, 8);
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(5));
  EXPECT_LE(memory_to_read(file), 4 * kMegabyte);
}

TEST(ImageLimits, TextsBesideAPngDoNotUnpackForEver) {
  const std::string still = png_of(1, 1, 8, 0, "\0\x2A"s);
  const auto with_texts = [&](std::size_t count, std::size_t size) {
    const std::string text(size, 'x');
    uLongf packed_size = ::compressBound(size);
    std::string packed(packed_size, '\0');
    EXPECT_EQ(::compress(reinterpret_cast<Bytef*>(packed.data()), &packed_size,
                         reinterpret_cast<const Bytef*>(text.data()), size),
              Z_OK);
    packed.resize(packed_size);
    std::string chunks;
    for (std::size_t i = 0; i < count; ++i) chunks += chunk("zTXt", "key\0\0"s + packed);
    return still.substr(0, 33) + chunks + still.substr(33);
  };
  constexpr std::int64_t kMost = static_cast<std::int64_t>(limits::kMaxPngMemoryBytes);
  const std::string many = with_texts(100, 7'000'000);
  refuse("need more than 67108864 bytes", many);
  EXPECT_LE(memory_to_read(many), kMost + 8 * kMegabyte);
  // One that is too long is left out.
  const std::string one = with_texts(1, 20'000'000);
  expect_same(decode_image(view(one), ImageChannels::kAsStored, "x"), {1, 1, 1, {42}});
  EXPECT_LE(memory_to_read(one), kMost + 8 * kMegabyte);
  // And what hosts write is far from the cap.
  expect_same(decode_image(view(with_texts(3, 4'000'000)), ImageChannels::kAsStored, "x"),
              {1, 1, 1, {42}});
}

TEST(ImageLimits, ReadingEndsInTime) {
  const ReadDeadline past = std::chrono::steady_clock::now() - std::chrono::seconds(1);
  const auto too_slow = [&](const auto& read, const Bytes& file) {
    test::expect_error(ErrorCode::kInvalidArgument, "takes longer to read than 15 s",
                       [&] { (void)read(view(file), "upload", past); });
  };
  const Image image = gradient(64, 64, 3);
  too_slow(read_png, encode_image(image, ImageFormat::kPng));
  too_slow(read_jpeg, encode_image(image, ImageFormat::kJpeg));
}

}  // namespace
}  // namespace kandinsky::io
