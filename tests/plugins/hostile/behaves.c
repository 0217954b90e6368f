/* SPDX-License-Identifier: Apache-2.0 */
/* A data set whose file is right in every way and whose code does the one wrong thing that its definitions ask for. */
#define _GNU_SOURCE
#include <locale.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "attune/abi.h"

#ifndef AT_LOAD
#define AT_LOAD (void)0
#endif
#ifndef AT_ENTRY
#define AT_ENTRY (void)0
#endif
#ifndef AT_INIT
#define AT_INIT (void)0
#endif
#ifndef AT_CREATE
#define AT_CREATE (void)0
#endif
#ifndef AT_MAP
#define AT_MAP (void)0
#endif
#ifndef AT_DESTROY
#define AT_DESTROY (void)0
#endif
#ifndef AT_DEINIT
#define AT_DEINIT (void)0
#endif

static volatile int forever = 1;
static void hang(void) {
  while (forever) pause();
}
static jmp_buf place;
static int overflow(volatile char *above) {
  volatile char frame[4096];
  frame[0] = above ? above[0] : 1;
  return (forever ? overflow(frame) : 0) + frame[0];
}
static void *sleeper(void *unused) {
  (void)unused;
  hang();
  return NULL;
}
static void start_thread(void) {
  pthread_t thread;
  pthread_create(&thread, NULL, sleeper, NULL);
}
static void leave_process(void) {
  if (fork() == 0) hang();
}
static void crash(void) { *(volatile int *)8 = 1; }
static const attune_value *kept_options, *kept_record;
static const attune_sample_sink *kept_sink;

/* Never run; they keep what one build has no use for from being an error. */
__attribute__((used)) static void use_all(void) {
  hang(), overflow(NULL), start_thread(), leave_process(), crash();
  longjmp(place, 1);
}

__attribute__((constructor)) static void load(void) { AT_LOAD; }

static void destroy(void *self) {
  (void)self;
  AT_DESTROY;
}

static int32_t map(void *self, const attune_value *record, const attune_sample_sink *sink) {
  (void)self;
  AT_MAP;
  kept_record = record;
  kept_sink = sink;
  return ATTUNE_OK;
}

static int32_t create(const attune_host *host, const attune_value *options, void **out) {
  static attune_dataset table = {ATTUNE_END(attune_dataset, map), 0, NULL, destroy, map};
  (void)host;
  AT_CREATE;
  kept_options = options;
  *out = &table;
  return ATTUNE_OK;
}

static int32_t init(const attune_host *host) {
  (void)host;
  AT_INIT;
  return ATTUNE_OK;
}

static void deinit(void) { AT_DEINIT; }

#ifndef FACTORY_SIZE
#define FACTORY_SIZE ATTUNE_END(attune_factory, create)
#endif
#ifndef ENTRY_SIZE
#define ENTRY_SIZE ATTUNE_END(attune_entry, factories)
#endif
#ifndef ENTRY
#define ENTRY &entry
#endif
#ifndef FACTORIES
#define FACTORIES factories
#endif
#ifndef ENTRY_MINOR
#define ENTRY_MINOR ATTUNE_ABI_MINOR
#endif

const attune_entry *attune_plugin_v1(void) {
  static const attune_factory factory = {FACTORY_SIZE, 0, "dataset/1", PLUGIN_NAME, create};
  static const attune_factory *const factories[] = {&factory, NULL};
  static const attune_entry entry = {ENTRY_SIZE,         ATTUNE_ABI_MAJOR, ENTRY_MINOR, PLUGIN_ID,
                                     PLUGIN_FINGERPRINT, init,             deinit,      FACTORIES};
  (void)factories, (void)&entry;
  AT_ENTRY;
  return ENTRY;
}
