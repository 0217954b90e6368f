// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace attune {

/// From here on LibTorch's large tensors on the CPU lie in blocks of their own, which are kept when they are freed and used again
/// for tensors of the same size.
///
/// Rationale: the C library either keeps freed blocks in pieces that fit nothing, which is a tenth of a run's peak and cannot be
/// foreseen, or gives each back to the system, which then clears it anew for every tensor. Here blocks are kept only as
/// long as kept and used ones together are no more than was in use at once before: the peak is that of the tensors.
void use_block_cache();

/// Gives what is kept back to the system.
void empty_block_cache();

}  // namespace attune
