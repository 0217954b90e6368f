// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstddef>

#include "kernel/host/plugins/probe.h"

/// The child's half of a probe; only probe.cpp has a use for it.
namespace attune::probing {

/// Memory that the child shares with its parent: its last words outlive it.
struct Words {
  char doing[256];   ///< "create of dataset/1 \"x\""
  char rule[8];      ///< "" while no rule is broken
  char expected[256];
  char found[512];
  std::atomic<int> entered;  ///< returns of the entry function; more than one is a longjmp
  std::atomic<bool> done;
};

/// Runs the plugin and writes what it finds into `words`. Does not return.
[[noreturn]] void run(const PluginInfo& plugin, const SealedFile& file, const ProbeLimits& limits,
                      Words& words);

}  // namespace attune::probing
