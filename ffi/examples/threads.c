/* Four threads read while one swaps tables: every request finds a rule of some whole table, never of half of one.
 *
 *   threads [SWAPS]
 */
#include <gatepost.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define READERS 4

static const char *const manifests =
    "apiVersion: gateway.networking.k8s.io/v1\n"
    "kind: Gateway\n"
    "metadata: {name: gw, namespace: shop}\n"
    "spec: {gatewayClassName: gatepost, listeners: [{name: http, port: 80, protocol: HTTP}]}\n"
    "---\n"
    "apiVersion: gateway.networking.k8s.io/v1\n"
    "kind: HTTPRoute\n"
    "metadata: {name: %s, namespace: shop}\n"
    "spec:\n"
    "  parentRefs: [{name: gw}]\n"
    "  rules: [{matches: [{path: {value: /cart}}], backendRefs: [{name: %s, port: 8080}]}]\n"
    "---\n"
    "apiVersion: v1\n"
    "kind: Service\n"
    "metadata: {name: %s, namespace: shop}\n"
    "spec: {ports: [{port: 8080}]}\n";

static gatepost_slot *slot;
static pthread_barrier_t start;
static int stopped;        /* atomically */
static unsigned long seen; /* requests of all threads, atomically */

static void must(int holds, const char *what) {
  if (!holds) {
    fprintf(stderr, "threads: %s\n", what);
    abort();
  }
}

static gatepost_str str(const char *text) {
  gatepost_str view = {text, strlen(text)};
  return view;
}

static void forget(void *data) { free(data); }

static gatepost_table *table_of(const char *name) {
  char text[1024];
  gatepost_resources *resources = gatepost_resources_new();
  gatepost_resolution *resolution = NULL;
  gatepost_table *table = NULL;
  gatepost_str any = GATEPOST_STR_INIT;
  char *upstream;
  snprintf(text, sizeof text, manifests, name, name, name);
  must(gatepost_resources_add(resources, str(name), str(text), 0, NULL) == GATEPOST_OK, "the manifests are refused");
  must(gatepost_resolve(resources, NULL, &resolution, NULL) == GATEPOST_OK, "nothing is resolved");
  must(gatepost_resolution_table(resolution, any, any, &table, NULL) == GATEPOST_OK, "there is no table");
  gatepost_resolution_free(resolution);
  gatepost_resources_free(resources);
  /* The host's own data goes with the table. */
  upstream = (char *)malloc(strlen(name) + 1);
  must(upstream != NULL, "no memory");
  strcpy(upstream, name);
  must(gatepost_table_attach(table, upstream, forget) == GATEPOST_OK, "nothing can be attached");
  return table;
}

static void *reader(void *counter) {
  gatepost_reader *tables = gatepost_reader_new(slot);
  gatepost_scratch *scratch = gatepost_scratch_new(NULL);
  gatepost_request request = GATEPOST_REQUEST_INIT;
  uint64_t newest = 0;
  unsigned long found = 0;
  request.method = str("GET");
  request.host = str("shop.example.com");
  request.target = str("/cart/7");
  pthread_barrier_wait(&start);
  while (!__atomic_load_n(&stopped, __ATOMIC_RELAXED)) {
    const gatepost_table *table = gatepost_reader_table(tables);
    gatepost_match match = GATEPOST_MATCH_INIT;
    gatepost_backend backend = GATEPOST_BACKEND_INIT;
    const char *attached = (const char *)gatepost_table_attached(table);
    must(gatepost_find(table, &request, scratch, &match) == GATEPOST_OK, "a request was not found");
    must(gatepost_pick(table, match.id, found * GATEPOST_TICKET_STEP, &backend) == GATEPOST_OK, "no backend");
    must(backend.name.len == strlen(attached) && memcmp(backend.name.ptr, attached, backend.name.len) == 0,
         "the backend is another table's");
    must(match.id.table >= newest, "an old table came back");
    newest = match.id.table;
    found++;
    __atomic_fetch_add(&seen, 1, __ATOMIC_RELAXED);
  }
  gatepost_scratch_free(scratch);
  gatepost_reader_free(tables);
  *(unsigned long *)counter = found;
  return NULL;
}

int main(int argc, char **argv) {
  int swaps = argc > 1 ? atoi(argv[1]) : 1000;
  gatepost_table *table = table_of("v0");
  pthread_t threads[READERS];
  unsigned long counters[READERS];
  unsigned long found = 0;
  int i;
  slot = gatepost_slot_new(table);
  gatepost_table_release(table);
  must(pthread_barrier_init(&start, NULL, READERS + 1) == 0, "no barrier");
  for (i = 0; i < READERS; i++) must(pthread_create(&threads[i], NULL, reader, &counters[i]) == 0, "no thread");
  pthread_barrier_wait(&start);
  for (i = 1; i <= swaps; i++) {
    char name[16];
    unsigned long before;
    snprintf(name, sizeof name, "v%d", i);
    table = table_of(name);
    must(gatepost_slot_publish(slot, table) == GATEPOST_OK, "the table was not published");
    gatepost_table_release(table);
    /* Requests go on between two swaps, also where threads take turns on one processor. */
    before = __atomic_load_n(&seen, __ATOMIC_RELAXED);
    while (__atomic_load_n(&seen, __ATOMIC_RELAXED) == before) sched_yield();
  }
  __atomic_store_n(&stopped, 1, __ATOMIC_RELAXED);
  for (i = 0; i < READERS; i++) {
    pthread_join(threads[i], NULL);
    found += counters[i];
  }
  pthread_barrier_destroy(&start);
  gatepost_slot_free(slot);
  printf("threads: %lu requests found by %d threads over %d swaps\n", found, READERS, swaps);
  return found == 0;
}
