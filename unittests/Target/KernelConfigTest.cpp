//===- KernelConfigTest.cpp - How configurations are written
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "rotq/Target/KernelConfig.h"

#include "mlir/AsmParser/AsmParser.h"
#include "gtest/gtest.h"

using namespace mlir;
using namespace mlir::rotq;

TEST(KernelConfig, IsReadAsItIsWritten) {
  for (const char *text :
       {"mma_s8_r16c8w4", "mma_s8_r32c32w8s4", "mma_s8_r16c16w8s8d2b2",
        "wgmma_s8_r16c128w8t4b1", "mma_f16_r16c8w4"}) {
    std::optional<KernelConfig> config = KernelConfig::parse(text);
    ASSERT_TRUE(config) << text;
    EXPECT_EQ(config->str(), text);
  }
  KernelConfig config = *KernelConfig::parse("mma_s8_r32c16w8s4d2b1");
  EXPECT_EQ(config, (KernelConfig{KernelKind::MmaS8, 32, 16, 8, 4, 2, 0, 1}));
}

TEST(KernelConfig, IsThatOfItsAttribute) {
  MLIRContext context;
  context.loadDialect<RotQDialect>();
  KernelConfig config{KernelKind::WgmmaS8, 16, 128, 8, 2, 1, 4, 1};
  EXPECT_EQ(KernelConfig::get(config.getAttr(&context, 33, 0)), config);
}

TEST(KernelConfig, RefusesWhatIsNoConfiguration) {
  for (const char *text :
       {"", "mma_s8", "mma_s8_", "mma_s8_r16c8", "mma_s8_c8r16w4",
        "mma_s8_r16c8w4x2", "mma_s8_r016c8w4", "mma_s8_r16c8w4s1",
        "mma_s8_r0c8w4", "mma_s8_r16c8w4s3", "mma_s9_r16c8w4",
        "mma_s8_r16c8w4b99999999999999999999"})
    EXPECT_FALSE(KernelConfig::parse(text)) << text;
}

TEST(MatmulShape, IsThatOfAllMembers) {
  MLIRContext context;
  context.loadDialect<RotQDialect>();
  auto weight = [&](StringRef text) {
    return cast<WeightType>(
        parseType(("!rotq.weight<" + text + ">").str(), &context));
  };
  WeightType q = weight("4096x2048, #rotq.format<\"itq3_s\">");
  WeightType k = weight("1024x2048, #rotq.format<\"itq3_s\">");
  EXPECT_EQ(MatmulShape::get({q, k, k}, 256),
            (MatmulShape{6144, 2048, 3, 3, true, 256}));
  EXPECT_EQ(MatmulShape::get({q, q}, 256, 2),
            (MatmulShape{8192, 2048, 2, 3, true, 256, 2}));
  // The finer of the scales counts.
  WeightType fine = weight("64x100, #rotq.format<\"int4_g128\">");
  MatmulShape shape = MatmulShape::get(fine, 256);
  EXPECT_EQ(shape, (MatmulShape{64, 100, 1, 4, false, 128}));
  EXPECT_EQ(shape.tilesOfK(), 1);
  EXPECT_EQ(shape.groupsOfTile(), 2);
  EXPECT_EQ(MatmulShape::get(q, 64).groupsOfTile(), 4);
}
