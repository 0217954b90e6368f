/* SPDX-License-Identifier: Apache-2.0 */
/* What the sources of faulty plugins share. Each is built once for every FAULT; FAULT 0 has none. */
#pragma once
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "attune/abi.h"

static inline attune_str str(const char *text) { return (attune_str){text, strlen(text)}; }

static inline const attune_value *member(const attune_value *map, const char *name) {
  for (size_t i = 0; map && map->type == ATTUNE_MAP && i < map->n_items; ++i) {
    if (map->keys[i].size == strlen(name) && memcmp(map->keys[i].data, name, map->keys[i].size) == 0) return &map->items[i];
  }
  return NULL;
}

static inline int32_t refuse(const attune_host *host, int32_t code, const char *why) { return host->fail(host, code, str(why)); }

/* The table of a kind with what every one of them needs. */
#define INSTANCE(Table)     \
  typedef struct instance { \
    Table table;            \
    const attune_host *host;\
    char path[512];         \
  } instance;               \
  static void destroy(void *self) { free(self); }

#define PLUGIN(kind, function)                                                                                     \
  const attune_entry *attune_plugin_v1(void) {                                                                     \
    static const attune_factory factory = {ATTUNE_END(attune_factory, create), 0, kind, PLUGIN_NAME, function};    \
    static const attune_factory *const factories[] = {&factory, NULL};                                             \
    static const attune_entry entry = {ATTUNE_END(attune_entry, factories), ATTUNE_ABI_MAJOR, ATTUNE_ABI_MINOR,    \
                                       PLUGIN_ID, "", NULL, NULL, factories};                                      \
    return &entry;                                                                                                 \
  }
