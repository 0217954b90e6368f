// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>

#include "kernel/host/engine_api.h"

namespace attune {

std::unique_ptr<LanguageModel> open_language_model(const ModelRequest& request, HostServices& host);

}  // namespace attune
