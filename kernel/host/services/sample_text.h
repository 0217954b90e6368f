// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "attune/sample.h"

/// What samples have in common with each other: their texts, as keys and as words.
namespace attune {

/// Every part of a turn: text as it is, media by address or bytes.
std::string turn_text(const attune_turn& turn);

/// 128 bits in hex: equal for equal prompts.
std::string prompt_key(const attune_sample& sample);
/// Equal for the same prompt with the same answers, whatever their order and labels.
std::string content_key(const attune_sample& sample);
/// Equal for the same judgement of the same content: order, ratings and labels count.
std::string judgement_key(const attune_sample& sample);

/// Hash of each word: letters, digits and bytes beyond ASCII, in lower case; all else divides
/// words.
std::vector<uint64_t> words_of(std::string_view text);

/// Hash of each run of `n` words; none where there are fewer.
std::vector<uint64_t> ngrams_of(const std::vector<uint64_t>& words, size_t n);

}  // namespace attune
