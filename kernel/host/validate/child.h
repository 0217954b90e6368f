// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <string>

#include "kernel/host/validate/verdict.h"

namespace attune::validate {

struct Limits {
  double seconds = 20;              ///< of wall time
  size_t memory = size_t{1} << 30;  ///< bytes of address space beyond what there is already; 0: none
};

/// Runs `body` in a child process, below a fresh scratch folder: its working directory is SCRATCH/cwd, HOME and TMPDIR are
/// SCRATCH/home and SCRATCH/tmp, standard output and error are a file, which `body` can find as output_size(). The folder goes
/// with the child. The verdict says what `body` threw, or how the child ended; test, about, kind and name are left empty.
Verdict in_child(const std::function<void(const std::string& scratch)>& body, const Limits& limits);

/// In a child: how much was written to standard output and error.
size_t output_size();

/// In a child: what the test is doing, for the reason of a crash. `with` says what it does so with, until it is said anew.
void doing(const std::string& what);
void with(const std::string& what);

}  // namespace attune::validate
