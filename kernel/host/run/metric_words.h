// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "kernel/host/run/metric_log.h"

/// How metrics are named, ordered and written for a person.
namespace attune {

/// "reward/margin" -> "reward margin", "eval/loss" -> "validation loss".
std::string metric_label(const std::string& name);

/// The value with its unit, in at most ten columns: "0.6931", "87.5 %", "413 MB", "not finite".
std::string metric_text(const std::string& name, double value);

/// Losses and rewards first, then how the run fares, then the rest as they came.
std::vector<std::string> ordered_metrics(const std::vector<std::string>& names);

/// "0.00012", "1.2e+07": `digits` significant ones.
std::string number_text(double value, int digits = 4);

/// A JSON value as a person writes it: strings without quotes, numbers as above, null as nothing.
std::string value_text(const Json& value);

}  // namespace attune
