// SPDX-License-Identifier: Apache-2.0
// Compiles where libc++ is installed.
#include <string>

int main() { return static_cast<int>(std::string("").size()); }
