// SPDX-License-Identifier: Apache-2.0
// The one exported symbol. Everything behind it is the Rust library beside this file.
#include "attune/abi.h"

#if UINTPTR_MAX == 0xffffffffffffffff
// src/abi.rs asserts the same numbers.
_Static_assert(sizeof(attune_value) == 64, "attune_value");
_Static_assert(sizeof(attune_part) == 56, "attune_part");
_Static_assert(sizeof(attune_turn) == 40, "attune_turn");
_Static_assert(sizeof(attune_span) == 24, "attune_span");
_Static_assert(sizeof(attune_token_offset) == 16, "attune_token_offset");
_Static_assert(ATTUNE_END(attune_host, fail) == 32, "attune_host");
_Static_assert(ATTUNE_END(attune_encoding, n_ids) == 32, "attune_encoding");
_Static_assert(ATTUNE_END(attune_rendering, n_spans) == 40, "attune_rendering");
_Static_assert(ATTUNE_END(attune_text_sink, emit) == 24, "attune_text_sink");
_Static_assert(ATTUNE_END(attune_tokenizer, render) == 72, "attune_tokenizer");
#endif

int32_t attune_huggingface_create(const attune_host *host, const attune_value *options, void **out);

static const attune_factory kTokenizer = {ATTUNE_END(attune_factory, create), 0, "tokenizer/1",
                                          "huggingface", attune_huggingface_create};
static const attune_factory *const kFactories[] = {&kTokenizer, NULL};
static const attune_entry kEntry = {ATTUNE_END(attune_entry, factories),
                                    ATTUNE_ABI_MAJOR,
                                    ATTUNE_ABI_MINOR,
                                    ATTUNE_PLUGIN_ID,
                                    ATTUNE_PLUGIN_FINGERPRINT,
                                    NULL,
                                    NULL,
                                    kFactories};

const attune_entry *attune_plugin_v1(void) { return &kEntry; }
