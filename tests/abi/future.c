/* SPDX-License-Identifier: Apache-2.0 */
/* A plugin of a later SDK that needs no more than this host has: its tables are longer, one of its kinds is unheard of, and it
 * asks for a service that there is not. */
#include <string.h>

#include "attune/abi.h"

typedef struct later_dataset {
  attune_dataset known;
  int32_t (*preview)(void *self);
} later_dataset;
typedef struct later_factory {
  attune_factory known;
  const char *hint;
} later_factory;
typedef struct later_entry {
  attune_entry known;
  void (*suspend)(void);
} later_entry;

static int32_t preview(void *self) { return self ? 1 : 0; }
static void suspend(void) {}
static void destroy(void *self) { (void)self; }
static int32_t map(void *self, const attune_value *record, const attune_sample_sink *sink) {
  (void)self, (void)record, (void)sink;
  return ATTUNE_OK;
}

static int32_t create(const attune_host *host, const attune_value *options, void **out) {
  static later_dataset table = {{sizeof(later_dataset), 0, NULL, destroy, map}, preview};
  (void)options;
  if (host->service(host, "attune.telepathy/3")) return ATTUNE_E_INTERNAL;
  *out = &table;
  return ATTUNE_OK;
}

static int32_t create_teleport(const attune_host *host, const attune_value *options, void **out) {
  (void)options, (void)out;
  return host->fail(host, ATTUNE_E_UNSUPPORTED, (attune_str){"not in this host", 16});
}

const attune_entry *attune_plugin_v1(void) {
  static const later_factory dataset = {{sizeof(later_factory), 0, "dataset/1", PLUGIN_NAME, create}, "hint"};
  static const later_factory teleport = {{sizeof(later_factory), 0, "teleport/9", "beam", create_teleport}, "hint"};
  static const attune_factory *const factories[] = {&dataset.known, &teleport.known, NULL};
  static const later_entry entry = {
      {sizeof(later_entry), ATTUNE_ABI_MAJOR, ATTUNE_ABI_MINOR, PLUGIN_ID, PLUGIN_FINGERPRINT, NULL, NULL, factories}, suspend};
  return &entry.known;
}
