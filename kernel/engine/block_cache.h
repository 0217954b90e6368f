// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace attune {

/// From here on LibTorch's large tensors on the CPU lie on pages of their own. Freed pages are kept, and the next tensor gets them whatever
/// its size: the smallest free range that holds it, else several, moved below its addresses.
///
/// Rationale: the C library either keeps freed blocks in pieces that fit nothing, which is a tenth of a run's peak and cannot be
/// foreseen, or gives each back to the system, which then clears it anew for every tensor, a seventh of a step. Here no new page is
/// taken while a free one is left: the peak is that of the tensors.
void use_block_cache();

/// Gives what is kept back to the system.
void empty_block_cache();

}  // namespace attune
