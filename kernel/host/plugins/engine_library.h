// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>

#include "kernel/host/engine_api.h"
#include "kernel/host/plugins/sealed_file.h"

namespace attune {

/// Where the engine lies, and a sealed copy of it where its bytes were checked.
struct EngineFile {
  std::string path;
  std::shared_ptr<const SealedFile> sealed = nullptr;
};

/// Opens libattune-engine.so, and with it LibTorch; once in a process. A sealed copy has no folder, so
/// LibTorch, by the engine's run path, is opened before it, and the copy meets it by its SONAME.
/// Throws ExitError naming the file.
Engine* load_engine(const EngineFile& file);

}  // namespace attune
