// SPDX-License-Identifier: Apache-2.0
#pragma once

// The TOML library asserts inside its parser what a broken text can violate (for example `a = { = 1
// }`), although the code after the assertion reports a syntax error. So all of the host includes it
// by this header: a manifest must not be able to abort the process, in any build.
#define TOML_ASSERT(expr) static_cast<void>(0)
#include <toml++/toml.h>
