//===- GlobalBuffer.cpp - Global memory of one launch
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "GlobalBuffer.h"

using namespace mlir::rotq::emulator;

static constexpr size_t kShardBytes = 1024;

GlobalBuffer::GlobalBuffer(std::span<std::byte> bytes, std::string name,
                           Contents contents, const Predecessors &predecessors)
    : contents(contents),
      footprint(std::make_shared<Footprint>(bytes, std::move(name))),
      beforeWait(findOverlaps(predecessors.beforeWait, bytes, false)),
      afterWait(findOverlaps(predecessors.afterWait, bytes, true)),
      invariant(bytes.size()),
      shards(contents == Contents::ReadOnly
                 ? 0
                 : (bytes.size() + kShardBytes - 1) / kShardBytes) {}

Complaint GlobalBuffer::check(const Access &access, int64_t offset,
                              const Actor &actor) {
  auto complain = [&](const std::string &text) {
    return access.describe() + " at offset " + std::to_string(offset) +
           " of a buffer of " + std::to_string(size()) + " bytes (" + name() +
           ")" + text;
  };
  if (isOutside(offset, access.size, size()))
    return complain("");
  if (access.isWrite && contents == Contents::ReadOnly)
    return complain(", which is read-only");
  auto at = size_t(offset);
  for (const Overlap &overlap : actor.hasWaited ? afterWait : beforeWait)
    if (Complaint complaint = overlap.check(access, at))
      return complain(*complaint);
  if (access.isRead()) {
    footprint->read.insert(at, access.size);
    if (contents == Contents::Undefined &&
        !footprint->written.containsAll(at, access.size))
      return complain(", which was never written");
  }
  if (contents == Contents::ReadOnly)
    return std::nullopt;
  // Of two threads that do these at once, one notices.
  if (access.isWrite) {
    footprint->written.insert(at, access.size);
    if (invariant.containsAny(at, access.size))
      return complain(", which the launch reads as invariant");
  } else if (access.isInvariant) {
    invariant.insert(at, access.size);
    if (footprint->written.containsAny(at, access.size))
      return complain(" as invariant, which the launch writes");
  }
  if (Complaint complaint = checkRaces(access, at, actor))
    return complain(*complaint);
  return std::nullopt;
}

Complaint GlobalBuffer::checkRaces(const Access &access, size_t at,
                                   const Actor &actor) {
  for (size_t end = at + access.size; at < end;) {
    Shard &shard = shards[at / kShardBytes];
    size_t local = at % kShardBytes;
    size_t count = std::min(end - at, kShardBytes - local);
    std::lock_guard lock(shard.mutex);
    if (!shard.isStarted)
      shard.history.start(kShardBytes);
    shard.isStarted = true;
    if (Complaint complaint = shard.history.add(access, local, count, actor))
      return complaint;
    at += count;
  }
  return std::nullopt;
}

void GlobalBuffer::publish(size_t offset, const SharedKnowledge &knowledge) {
  if (!knowledge)
    return;
  Shard &shard = shards[offset / kShardBytes];
  std::lock_guard lock(shard.mutex);
  SharedKnowledge &published = shard.published[offset];
  published = merge(published, knowledge);
}

SharedKnowledge GlobalBuffer::observe(size_t offset) {
  if (shards.empty())
    return nullptr;
  Shard &shard = shards[offset / kShardBytes];
  std::lock_guard lock(shard.mutex);
  auto it = shard.published.find(offset);
  return it == shard.published.end() ? nullptr : it->second;
}
