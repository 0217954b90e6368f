// SPDX-License-Identifier: Apache-2.0
#include "kernel/host/run/answerer.h"

namespace attune {

ModelRequest model_request(const Json& run) {
  const Json& model = run.at("model");
  ModelRequest request;
  request.path = model.at("path");
  request.use = model.value("use", "");
  request.options = model.value("options", Json::object());
  request.dtype = model.value("dtype", "float32");
  request.device = run.at("run").value("device", "cpu");
  if (run.contains("generate")) request.batch = run["generate"].value("batch", request.batch);
  return request;
}

Answerer::Answerer(const Json& run, const EngineOf& engine, RunServices& host) {
  if (run.contains("generator")) {
    const Json& table = run["generator"];
    plugin_ = host.generator(table.at("use"), table.value("options", Json::object()));
  } else {
    model_ = engine().open(model_request(run), host);
  }
}

std::string answerer_name(const Json& run) {
  return run.contains("generator") ? run["generator"].at("use") : run.at("model").at("path");
}

}  // namespace attune
