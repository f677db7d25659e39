#include "tensor/block_end.h"

#include <gtest/gtest.h>

#include <stdexcept>

namespace kandinsky::tensor {
namespace {

TEST(BlockEnd, ChecksWhileAGuardExists) {
  int calls = 0;
  end_block();
  {
    const BlockCheckGuard outer([&] { ++calls; });
    end_block();
    EXPECT_EQ(calls, 1);
    {
      const BlockCheckGuard inner([&] { calls += 10; });
      end_block();
      EXPECT_EQ(calls, 11);
    }
    end_block();
    EXPECT_EQ(calls, 12);
  }
  end_block();
  EXPECT_EQ(calls, 12);
}

TEST(BlockEnd, WhatACheckThrowsComesOut) {
  {
    const BlockCheckGuard guard([] { throw std::domain_error("mine"); });
    EXPECT_THROW(end_block(), std::domain_error);
  }
  EXPECT_NO_THROW(end_block());
}

}  // namespace
}  // namespace kandinsky::tensor
