/* SPDX-License-Identifier: Apache-2.0 */
/* A dataset {"q", "a"} with one fault. */
#include "common.h"

#include <fcntl.h>
#include <fenv.h>
#include <locale.h>
#include <pthread.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#if FAULT == 2
#define ENTRY_NAME "another"
#else
#define ENTRY_NAME PLUGIN_NAME
#endif
#if FAULT == 1
#define ENTRY_ID "org.attune.another"
#else
#define ENTRY_ID PLUGIN_ID
#endif

typedef struct instance {
  attune_dataset table;
  const attune_host *host;
  char prefix[64];
  attune_str kept;
  char copy[64];
  int calls;
} instance;

static char last_prefix[64];
static char shared_text[4096];
static __thread const char *own_prefix = "?";

#if FAULT == 6
__attribute__((constructor)) static void slow(void) { usleep(1100 * 1000); }
#elif FAULT == 7
__attribute__((constructor)) static void crash(void) { raise(SIGSEGV); }
#elif FAULT == 8
ATTUNE_EXPORT int attune_another_symbol(void);
int attune_another_symbol(void) { return 1; }
#endif

static void handler(int number) { (void)number; }
static void *forever(void *unused) {
  for (;;) pause();
  return unused;
}

/* What a call does to the process. */
static void disturb(void) {
#if FAULT == 38
  puts("a row");
  fflush(stdout);
#elif FAULT == 39
  fputs("a row\n", stderr);
#elif FAULT == 40
  close(open("left", O_CREAT | O_WRONLY, 0600));
#elif FAULT == 41
  char path[512];
  snprintf(path, sizeof path, "%s/.left", getenv("HOME"));
  close(open(path, O_CREAT | O_WRONLY, 0600));
#elif FAULT == 42
  setlocale(LC_NUMERIC, "C.UTF-8");
#elif FAULT == 43
#if defined(__x86_64__)
  __builtin_ia32_ldmxcsr(__builtin_ia32_stmxcsr() | 0x8040);
#endif
#elif FAULT == 44
  fesetround(FE_UPWARD);
#elif FAULT == 45
  signal(SIGUSR1, handler);
#elif FAULT == 46
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGUSR2);
  pthread_sigmask(SIG_BLOCK, &set, NULL);
#elif FAULT == 47
  if (chdir("/") != 0) abort();
#elif FAULT == 48
  setenv("LEFT_BY_A_PLUGIN", "1", 1);
#elif FAULT == 49
  umask(0);
#elif FAULT == 50
  static int started;
  pthread_t thread;
  if (!started++) pthread_create(&thread, NULL, forever, NULL);
#elif FAULT == 51
  static int opened = -1;
  if (opened < 0) opened = open("/dev/null", O_RDONLY);
#endif
  (void)handler, (void)forever;
}

static int depth(const attune_value *value) {
  volatile char frame[32768];
  for (size_t i = 0; i < sizeof frame; i += 512) frame[i] = (char)value->type;
  int deepest = frame[512];
  for (size_t i = 0; i < value->n_items; ++i) {
    const int found = depth(&value->items[i]);
    if (found > deepest) deepest = found;
  }
  return deepest + 1;
}

static int32_t complain(const instance *me) {
#if FAULT == 23
  (void)me;
  return ATTUNE_E_INVALID;
#elif FAULT == 24
  return refuse(me->host, 99, "`q`: expected a string");
#elif FAULT == 25
  refuse(me->host, ATTUNE_E_IO, "`q`: expected a string");
  return ATTUNE_E_INVALID;
#elif FAULT == 26
  return refuse(me->host, ATTUNE_E_INVALID, " ");
#elif FAULT == 27
  refuse(me->host, ATTUNE_E_INVALID, "`q`: expected a string");
  return ATTUNE_OK;
#else
#if FAULT == 37
  char *leak = malloc(48);
  memset(leak, 1, 48);
  __asm__ volatile("" : : "r"(leak) : "memory");
#endif
  return refuse(me->host, ATTUNE_E_INVALID, "`q`: expected a string");
#endif
}

static int32_t map(void *self, const attune_value *row, const attune_sample_sink *sink) {
  instance *me = self;
  const attune_value *q = member(row, "q"), *a = member(row, "a");
  ++me->calls;
  disturb();
#if FAULT == 30
  if (q == NULL) return q->type;
#elif FAULT == 31
  while (q == NULL) __asm__ volatile("");
#elif FAULT == 57
  if (q == NULL) exit(0);
#elif FAULT == 32
  if (depth(row) < 0) return ATTUNE_E_INTERNAL;
#endif
  (void)depth;
  if (!q || q->type != ATTUNE_STRING || !a || a->type != ATTUNE_STRING) return complain(me);

  char text[4096];
  const char *prefix = me->prefix;
#if FAULT == 20
  prefix = last_prefix;
#elif FAULT == 35
  prefix = own_prefix;
#endif
  snprintf(text, sizeof text, "%s%.*s", prefix, (int)(q->text.size < 2000 ? q->text.size : 2000), q->text.data);
#if FAULT == 18
  snprintf(text, sizeof text, "%.*s%.*s", (int)me->kept.size, me->kept.data, (int)(q->text.size < 2000 ? q->text.size : 2000), q->text.data);
#elif FAULT == 19
  snprintf(text, sizeof text, "%d", me->calls);
#elif FAULT == 21
  if (me->calls > 4) text[0] = 'x';
#elif FAULT == 22
  if (memcmp(me->kept.data, me->copy, me->kept.size) != 0) text[0] = 'x';
  me->kept = (attune_str){q->text.data, q->text.size < 64 ? q->text.size : 64};
  memcpy(me->copy, me->kept.data, me->kept.size);
#elif FAULT == 34
  strcpy(shared_text, text);
  attune_part ask = {ATTUNE_TEXT, 0, {NULL, 0}, {NULL, 0}, {"?", 1}};
  attune_turn once = {str("user"), &ask, 1, 1.0};
  attune_view first = {&once, 1, 0.0, {NULL, 0}};
  attune_sample before = {ATTUNE_END(attune_sample, labels), 0, {NULL, 0}, &first, 1, 1, NULL};
  const int32_t stop = sink->emit(sink->context, &before);
  if (stop != ATTUNE_OK) return stop;
  strcpy(text, shared_text);
#elif FAULT == 36
  char *leak = malloc(48);
  memset(leak, 1, 48);
  __asm__ volatile("" : : "r"(leak) : "memory");
#elif FAULT == 55
  text[0] = (char)0xFF;
#endif
  attune_part asked = {ATTUNE_TEXT, 0, {NULL, 0}, {NULL, 0}, {text, strlen(text)}};
  attune_part said = {ATTUNE_TEXT, 0, {NULL, 0}, {NULL, 0}, {a->text.data, a->text.size}};
  attune_turn turns[] = {{str("user"), &asked, 1, 1.0}, {str("assistant"), &said, 1, 1.0}};
  attune_view view = {turns, 2, strtod("nan", NULL), {NULL, 0}};
  attune_sample sample = {ATTUNE_END(attune_sample, labels), 0, {NULL, 0}, &view, 1, 1, NULL};
#if FAULT == 54
  sample.n_prompt = 5;
#elif FAULT == 56
  view.n_turns = 1;
#elif FAULT == 58
  said.kind = 77;
#elif FAULT == 28
  sink->emit(sink->context, &sample);
#elif FAULT == 29
  sink->emit(sink->context, &sample);
  return ATTUNE_OK;
#endif
  return sink->emit(sink->context, &sample);
}

static void destroy(void *self) {
#if FAULT == 59
  free(self);
#endif
#if FAULT == 13
  (void)self;
#else
  free(self);
#endif
}

static int32_t create(const attune_host *host, const attune_value *options, void **out) {
  const attune_value *prefix = member(options, "prefix"), *level = member(options, "level");
#if FAULT == 15
  if (prefix->text.data[0] == 1) return ATTUNE_E_INTERNAL;
#endif
  if (!prefix || prefix->type != ATTUNE_STRING || !level || level->type != ATTUNE_INT)
    return refuse(host, ATTUNE_E_INVALID, "`prefix`, `level`: expected a string and an integer");
  if (prefix->text.size >= 64) return refuse(host, ATTUNE_E_INVALID, "`prefix`: expected at most 63 bytes");
#if FAULT == 10
  return ATTUNE_E_INTERNAL;
#elif FAULT == 14
  if (level->integer == 9) raise(SIGSEGV);
#elif FAULT == 52
  const attune_log *log = host->service(host, "attune.log/1");
  log->write(log, ATTUNE_LOG_INFO, str("made"));
#elif FAULT == 53
  if (host->size != ATTUNE_END(attune_host, fail)) return refuse(host, ATTUNE_E_UNSUPPORTED, "another host");
#endif
  instance *me = calloc(1, sizeof *me);
  me->host = host;
  if (prefix->text.size) memcpy(me->prefix, prefix->text.data, prefix->text.size);
  memcpy(last_prefix, me->prefix, sizeof last_prefix);
  own_prefix = me->prefix;
  me->kept = prefix->text;
#if FAULT == 22
  me->kept = str("");
#endif
  (void)own_prefix, (void)shared_text;
  me->table = (attune_dataset){ATTUNE_END(attune_dataset, map), 0, me, destroy, map};
#if FAULT == 12
  me->table.size = ATTUNE_END(attune_dataset, destroy);
#endif
#if FAULT == 11
  (void)out;
#else
  *out = &me->table;
#endif
  return ATTUNE_OK;
}

static int32_t init(const attune_host *host) {
#if FAULT == 5
  static int times;
  if (times++) return refuse(host, ATTUNE_E_INTERNAL, "init came twice");
#endif
  (void)host;
  return ATTUNE_OK;
}
static void deinit(void) {
#if FAULT == 9
  static int times;
  if (times++) raise(SIGSEGV);
#endif
}

const attune_entry *attune_plugin_v1(void) {
  static const attune_factory factory = {ATTUNE_END(attune_factory, create), 0, "dataset/1", ENTRY_NAME, create};
  static const attune_factory *const factories[] = {&factory, NULL};
  static attune_entry entries[2];
  static int which;
#if FAULT == 4
  which = !which;
#endif
  attune_entry *entry = &entries[which];
  *entry = (attune_entry){ATTUNE_END(attune_entry, factories), ATTUNE_ABI_MAJOR, ATTUNE_ABI_MINOR, ENTRY_ID, "", init, deinit, factories};
#if FAULT == 3
  entry->size = ATTUNE_END(attune_entry, id);
#endif
  return entry;
}
