#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "parity/reference.h"
#include "tensor/bridge.h"
#include "text/clip_bpe.h"
#include "text/xlmr_unigram.h"

namespace kandinsky::parity {
namespace {

template <typename Tokenizer>
void expect_reference_tokens(const Tokenizer& tokenizer, const Reference& reference) {
  for (const std::string& name : reference.cases()) {
    const text::Tokens tokens = tokenizer.encode(reference.text(name + "/prompt"));
    expect_equal(name + " ids", tensor::from_ids(tokens.ids), reference.tensor(name + "/ids"));
    expect_equal(name + " mask", tensor::from_ids(tokens.attention_mask),
                 reference.tensor(name + "/mask"));
  }
}

TEST(TokensParity, ClipTokenizerGivesTheReferenceIds) {
  expect_reference_tokens(text::ClipTokenizer::load(tiny_folder("tiny-2-1-prior/tokenizer")),
                          Reference("clip_tokens.tiny-2-1-prior"));
}

TEST(TokensParity, XlmrTokenizerGivesTheReferenceIds) {
  expect_reference_tokens(text::XlmrTokenizer::load(tiny_folder("tiny-2-1/tokenizer")),
                          Reference("xlmr_tokens.tiny-2-1"));
}

}  // namespace
}  // namespace kandinsky::parity
