//===- LauncherTest.cpp - Grids, and launches on a GPU --------------------===//
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What needs a GPU is skipped where there is none.
//
//===----------------------------------------------------------------------===//

#include "rotq/Runtime/Launcher.h"

#include <cstring>
#include <gtest/gtest.h>
#include <thread>

using namespace rotq;

namespace {

/// y[i] = factor * x[i] for i < m.
constexpr std::string_view kScalePtx = R"(.version 8.0
.target sm_80
.address_size 64
.visible .entry scale(.param .u64 x, .param .u64 y, .param .u32 m,
                      .param .u32 factor)
{
  .reg .pred %p;
  .reg .b32 %r<8>;
  .reg .b64 %d<5>;
  ld.param.u64 %d0, [x];
  ld.param.u64 %d1, [y];
  ld.param.u32 %r0, [m];
  ld.param.u32 %r5, [factor];
  mov.u32 %r1, %ctaid.x;
  mov.u32 %r2, %ntid.x;
  mov.u32 %r3, %tid.x;
  mad.lo.u32 %r4, %r1, %r2, %r3;
  setp.ge.u32 %p, %r4, %r0;
  @%p bra done;
  mul.wide.u32 %d2, %r4, 4;
  add.u64 %d3, %d0, %d2;
  add.u64 %d4, %d1, %d2;
  ld.global.u32 %r6, [%d3];
  mul.lo.u32 %r6, %r6, %r5;
  st.global.u32 [%d4], %r6;
done:
  ret;
}
)";

KernelInfo scaleKernel() {
  auto pointer = [](const char *name) {
    KernelParam param;
    param.name = name;
    param.type = "i32";
    param.shape = {"m"};
    return param;
  };
  auto scalar = [](const char *name) {
    KernelParam param;
    param.name = name;
    param.kind = KernelParam::Kind::I32;
    return param;
  };
  KernelInfo kernel;
  kernel.name = "scale";
  kernel.role = "scale";
  kernel.params = {pointer("x"), pointer("y"), scalar("m"), scalar("factor")};
  kernel.params[1].access = KernelParam::Access::Write;
  kernel.grid[0] = {1, "m", 128};
  kernel.block = {128, 1, 1};
  kernel.pdl = true;
  return kernel;
}

Bundle scaleBundle() {
  auto *text = reinterpret_cast<const std::byte *>(kScalePtx.data());
  return {{{"sm_80"}, {scaleKernel()}}, {text, text + kScalePtx.size()}};
}

TEST(Grid, FollowsTheRule) {
  KernelInfo kernel = scaleKernel();
  kernel.grid[0].count = 3;
  kernel.grid[1].count = 5;
  auto grid = gridOf(kernel, std::array{257, 1});
  ASSERT_TRUE(grid) << grid.error();
  EXPECT_EQ(*grid, (std::array<unsigned, 3>{9, 5, 1}));
  grid = gridOf(kernel, std::array{0, 1});
  ASSERT_TRUE(grid) << grid.error();
  EXPECT_EQ((*grid)[0], 0u);
}

TEST(Grid, RefusesWhatTheKernelDoesNotTake) {
  auto error = [](const KernelInfo &kernel, std::vector<int32_t> scalars) {
    auto grid = gridOf(kernel, scalars);
    return grid ? std::string() : grid.error();
  };
  KernelInfo kernel = scaleKernel();
  EXPECT_EQ(error(kernel, {1}), "kernel 'scale' takes 2 scalars but got 1");
  kernel.mMin = 1;
  kernel.mMax = 8;
  EXPECT_EQ(error(kernel, {8, 1}), "");
  EXPECT_EQ(error(kernel, {9, 1}),
            "kernel 'scale' takes m from 1 to 8 but got 9");
  kernel.mMax = 0;
  EXPECT_EQ(error(kernel, {9, 1}), "");
  EXPECT_EQ(error(kernel, {0, 1}),
            "kernel 'scale' takes m from 1 up but got 0");
  kernel.grid[0].over = "factor";
  EXPECT_EQ(error(kernel, {1, -1}), "kernel 'scale': 'factor' is negative: -1");
  kernel.grid[1] = {1, "m", 1};
  EXPECT_EQ(error(kernel, {65536, 1}),
            "kernel 'scale': grid of 65536 blocks along dimension 1, at most "
            "65535");
  kernel.grid[0] = {INT32_MAX, "m", 1};
  EXPECT_NE(error(kernel, {INT32_MAX, 1}), "");
}

TEST(Launcher, ChecksBeforeItTouchesTheDriver) {
  Launcher launcher(scaleBundle());
  std::array<void *, 2> pointers = {};
  std::array<int32_t, 2> scalars = {1, 1};
  Status status = launcher.launch("other", pointers, scalars, nullptr);
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error(), "bundle has no kernel 'other'");
  status =
      launcher.launch("scale", std::span(pointers).first(1), scalars, nullptr);
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error(), "kernel 'scale' takes 2 pointers but got 1");
  status = launcher.launch("scale", pointers, scalars, nullptr);
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error(), "kernel 'scale': 'x' is null");
  scalars[0] = 0;
  EXPECT_TRUE(launcher.launch("scale", pointers, scalars, nullptr));
}

TEST(Launcher, MissingDriverIsAnError) {
  if (deviceCount())
    GTEST_SKIP() << "there is a driver";
  for (const std::string &error :
       {deviceCount().error(), setDevice(0).error(), deviceInfo(0).error(),
        Launcher(scaleBundle()).load().error()})
    EXPECT_FALSE(error.empty());
}

class OnDevice : public testing::Test {
protected:
  void SetUp() override {
    Expected<int> count = deviceCount();
    if (!count || *count == 0)
      GTEST_SKIP() << (count ? "no device" : count.error());
    ASSERT_TRUE(setDevice(0));
    driver = *cuda::Driver::get();
  }

  const cuda::Driver *driver = nullptr;
};

TEST_F(OnDevice, HasAName) {
  Expected<DeviceInfo> info = deviceInfo(0);
  ASSERT_TRUE(info) << info.error();
  EXPECT_FALSE(info->name.empty());
  EXPECT_GE(info->major, 7);
  EXPECT_FALSE(deviceInfo(-1));
  EXPECT_FALSE(setDevice(1 << 20));
}

TEST_F(OnDevice, Launches) {
  Launcher launcher(scaleBundle());
  std::vector<int32_t> x(1000), y(1000);
  for (size_t i = 0; i < x.size(); ++i)
    x[i] = int32_t(i);
  size_t bytes = x.size() * sizeof(int32_t);
  cuda::DevicePtr dx = 0, dy = 0;
  ASSERT_EQ(driver->memAlloc(&dx, bytes), 0);
  ASSERT_EQ(driver->memAlloc(&dy, bytes), 0);
  ASSERT_EQ(driver->memcpyHtoD(dx, x.data(), bytes), 0);
  std::array<void *, 2> pointers = {reinterpret_cast<void *>(dx),
                                    reinterpret_cast<void *>(dy)};
  for (int32_t factor : {3, -7}) {
    ASSERT_EQ(driver->memsetD8(dy, 0, bytes), 0);
    Status status = launcher.launch(
        "scale", pointers, std::array<int32_t, 2>{999, factor}, nullptr);
    ASSERT_TRUE(status) << status.error();
    ASSERT_EQ(driver->memcpyDtoH(y.data(), dy, bytes), 0);
    for (size_t i = 0; i < 999; ++i)
      ASSERT_EQ(y[i], x[i] * factor);
    EXPECT_EQ(y[999], 0);
  }
  driver->memFree(dx);
  driver->memFree(dy);
}

TEST_F(OnDevice, AThreadNeedsADevice) {
  Launcher launcher(scaleBundle());
  ASSERT_TRUE(launcher.load());
  std::string error;
  std::thread([&] {
    if (Status status = launcher.load(); !status)
      error = status.error();
  }).join();
  EXPECT_NE(error.find("no device is current"), std::string::npos) << error;
}

TEST_F(OnDevice, RefusesImagesThatAreNone) {
  Bundle bundle = scaleBundle();
  bundle.fatbin.resize(4);
  EXPECT_FALSE(Launcher(bundle).load());
  bundle.fatbin.clear();
  EXPECT_FALSE(Launcher(bundle).load());
  // A fatbin header that claims more data than there is.
  bundle.fatbin.assign(64, std::byte(0xFF));
  uint32_t magic = 0xBA55ED50;
  std::memcpy(bundle.fatbin.data(), &magic, sizeof(magic));
  Status status = Launcher(bundle).load();
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error(), "fatbin is truncated");
}

TEST_F(OnDevice, MissingKernelIsAnError) {
  Bundle bundle = scaleBundle();
  bundle.manifest.kernels[0].name = "other";
  Status status = Launcher(bundle).load();
  ASSERT_FALSE(status);
  EXPECT_NE(status.error().find("'other'"), std::string::npos);
}

} // namespace
