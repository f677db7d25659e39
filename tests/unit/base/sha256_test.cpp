#include "base/sha256.h"

#include <gtest/gtest.h>

#include <string>

namespace kandinsky {
namespace {

std::string sha256(std::string_view text) { return std::string(view_of(Sha256().add(text).hex())); }

// The examples of FIPS 180-4 and the empty text.
TEST(Sha256, GivesThePublishedDigests) {
  EXPECT_EQ(sha256(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(sha256("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(sha256("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"),
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
  EXPECT_EQ(sha256(std::string(1'000'000, 'a')),
            "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

TEST(Sha256, TakesBytesInPieces) {
  const std::string text(1000, 'x');
  for (const std::size_t size : {1, 55, 56, 63, 64, 65, 999}) {
    Sha256 hash;
    for (std::size_t at = 0; at < text.size(); at += size)
      hash.add(std::string_view(text).substr(at, size));
    EXPECT_EQ(view_of(hash.hex()), sha256(text)) << size;
  }
}

}  // namespace
}  // namespace kandinsky
