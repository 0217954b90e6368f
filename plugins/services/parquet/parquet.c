// SPDX-License-Identifier: Apache-2.0
// The one exported symbol. Everything behind it is the Rust library beside this file.
#include "attune/abi.h"

#if UINTPTR_MAX == 0xffffffffffffffff
// src/abi.rs asserts the same numbers.
_Static_assert(sizeof(attune_value) == 64, "attune_value");
_Static_assert(ATTUNE_END(attune_host, fail) == 32, "attune_host");
_Static_assert(ATTUNE_END(attune_value_sink, emit) == 24, "attune_value_sink");
_Static_assert(ATTUNE_END(attune_reader, read) == 40, "attune_reader");
#endif

int32_t attune_parquet_create(const attune_host *host, const attune_value *options, void **out);

static const attune_factory kReader = {ATTUNE_END(attune_factory, create), 0, "reader/1", "parquet",
                                       attune_parquet_create};
static const attune_factory *const kFactories[] = {&kReader, NULL};
static const attune_entry kEntry = {ATTUNE_END(attune_entry, factories),
                                    ATTUNE_ABI_MAJOR,
                                    ATTUNE_ABI_MINOR,
                                    ATTUNE_PLUGIN_ID,
                                    ATTUNE_PLUGIN_FINGERPRINT,
                                    NULL,
                                    NULL,
                                    kFactories};

const attune_entry *attune_plugin_v1(void) { return &kEntry; }
