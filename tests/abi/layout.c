/* SPDX-License-Identifier: Apache-2.0 */
/* The layout of the released ABI on 64-bit machines, as numbers: a change of any of them breaks plugins in the field. A table may
 * grow behind its last member here; then a new line joins the old one. */
#include "attune/abi.h"

#define LEAF(T, size, alignment) \
  _Static_assert(sizeof(attune_##T) == size && _Alignof(attune_##T) == alignment, "size of " #T)
#define MEMBER(T, member, offset) \
  _Static_assert(offsetof(attune_##T, member) == offset, "place of " #T "." #member)
#define TABLE(T, last, end) _Static_assert(ATTUNE_END(attune_##T, last) == end, "end of " #T "." #last)

/* ---- leaves: all members, frozen ---- */
LEAF(str, 16, 8);
MEMBER(str, data, 0);
MEMBER(str, size, 8);
LEAF(blob, 16, 8);
MEMBER(blob, data, 0);
MEMBER(blob, size, 8);
LEAF(value, 64, 8);
MEMBER(value, type, 0);
MEMBER(value, flags, 4);
MEMBER(value, integer, 8);
MEMBER(value, number, 16);
MEMBER(value, text, 24);
MEMBER(value, items, 40);
MEMBER(value, keys, 48);
MEMBER(value, n_items, 56);
LEAF(part, 56, 8);
MEMBER(part, kind, 0);
MEMBER(part, flags, 4);
MEMBER(part, mime, 8);
MEMBER(part, uri, 24);
MEMBER(part, data, 40);
LEAF(turn, 40, 8);
MEMBER(turn, role, 0);
MEMBER(turn, parts, 16);
MEMBER(turn, n_parts, 24);
MEMBER(turn, weight, 32);
LEAF(view, 40, 8);
MEMBER(view, turns, 0);
MEMBER(view, n_turns, 8);
MEMBER(view, rating, 16);
MEMBER(view, feedback, 24);
LEAF(span, 24, 8);
MEMBER(span, begin, 0);
MEMBER(span, end, 8);
MEMBER(span, turn, 16);
LEAF(token_offset, 16, 8);
MEMBER(token_offset, begin, 0);
MEMBER(token_offset, end, 8);
LEAF(tensor, 48, 8);
MEMBER(tensor, name, 0);
MEMBER(tensor, dtype, 16);
MEMBER(tensor, n_dims, 20);
MEMBER(tensor, shape, 24);
MEMBER(tensor, data, 32);

/* ---- tables: the last member of each release ---- */

/* 0.1 */
TABLE(host, fail, 32);
TABLE(log, write, 24);
TABLE(sample, labels, 56);
TABLE(sample_sink, emit, 24);
TABLE(value_sink, emit, 24);
TABLE(text_sink, emit, 24);
TABLE(blob_sink, emit, 24);
TABLE(tensor_sink, emit, 24);
TABLE(reader, read, 40);
TABLE(dataset, map, 32);
TABLE(encoding, n_ids, 32);
TABLE(encoding_sink, emit, 24);
TABLE(rendering, n_spans, 40);
TABLE(rendering_sink, emit, 24);
TABLE(tokenizer, render, 72);
TABLE(weights, write, 56);
TABLE(request, reserved, 104);
TABLE(answer, n_outputs, 80);
TABLE(answer_sink, emit, 24);
TABLE(generator, generate, 32);
TABLE(request_sink, emit, 24);
TABLE(evaluator, score, 40);
TABLE(tracker, log, 32);
TABLE(object, destroy, 24);
TABLE(factory, create, 32);
TABLE(entry, factories, 48);

/* Tables whose first member is their size. */
#define GROWS(T) _Static_assert(offsetof(attune_##T, size) == 0 && sizeof(((attune_##T *)0)->size) == 4, "size of " #T)
GROWS(host);
GROWS(log);
GROWS(sample);
GROWS(sample_sink);
GROWS(value_sink);
GROWS(text_sink);
GROWS(blob_sink);
GROWS(tensor_sink);
GROWS(reader);
GROWS(dataset);
GROWS(encoding);
GROWS(encoding_sink);
GROWS(rendering);
GROWS(rendering_sink);
GROWS(tokenizer);
GROWS(weights);
GROWS(request);
GROWS(answer);
GROWS(answer_sink);
GROWS(generator);
GROWS(request_sink);
GROWS(evaluator);
GROWS(tracker);
GROWS(object);
GROWS(factory);
GROWS(entry);

/* A C compiler wants something here. */
extern const int attune_layout_holds;
const int attune_layout_holds = 1;
