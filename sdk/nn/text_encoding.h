// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>

#include "attune/model.h"

namespace attune::nn {

/// A text sample as rows of a causal language model.
///
/// Text: each view is rendered by the tokenizer's chat template and tokenized once, whole. A
/// tokenizer without a template gives the plain form: the turns' texts joined, a BOS first where
/// the tokenizer adds one, an EOS after a last turn that is an assistant's.
///
/// Scored: the assistant turns from `n_prompt` on whose weight is above 0, each token with its
/// turn's weight. A token belongs to a turn if it has a byte of its content. The token that ends
/// the turn belongs to it too, so that the model learns to stop: the token right behind the content
/// if it is the EOS or another special token, or an EOS that only white space parts from the
/// content (then the white space as well). A first token has no row before it and is not scored.
///
/// Rows: with `share_prompt`, the tokens that all views begin with are branch 0, and what is left
/// of each view a branch of it; a unit within the common part is there once per view. Tokens behind
/// the last scored one are no rows, unless marks ask for the last row of each view.
///
/// Marks: the last row of each view, or of each text part of its last scored turn; steps beyond the
/// length are left out.
///
/// `scored` narrows this to the last such turn, or widens it to every token of the view.
///
/// Length: a conversation of more than `max_length` rows loses its end, or its oldest turns but a
/// system turn and the last question, or is refused, as `truncation` says. One whose rest has no
/// scored token is refused.
///
/// Throws Error naming `who` and the sample where a view has no scored token; only a value head reads
/// a conversation without an answer, at its last token.
Encoded encode_text(const attune_sample& sample, const Tokenizer& tokenizer,
                    const EncodeOptions& options, std::string_view who);

}  // namespace attune::nn
