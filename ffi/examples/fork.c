/* A server that reads its configuration, then forks workers: they share the table's pages, and each swaps its own table.
 *
 *   fork
 */
#include <gatepost.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define WORKERS 4

static const char *const manifests =
    "apiVersion: gateway.networking.k8s.io/v1\n"
    "kind: Gateway\n"
    "metadata: {name: gw, namespace: shop}\n"
    "spec: {gatewayClassName: gatepost, listeners: [{name: http, port: 80, protocol: HTTP}]}\n"
    "---\n"
    "apiVersion: gateway.networking.k8s.io/v1\n"
    "kind: HTTPRoute\n"
    "metadata: {name: cart, namespace: shop}\n"
    "spec:\n"
    "  parentRefs: [{name: gw}]\n"
    "  rules: [{matches: [{path: {value: %s}}], backendRefs: [{name: cart, port: 8080}]}]\n";

static gatepost_str str(const char *text) {
  gatepost_str view = {text, strlen(text)};
  return view;
}

static gatepost_table *table_of(const char *prefix) {
  char text[1024];
  gatepost_resources *resources = gatepost_resources_new();
  gatepost_resolution *resolution = NULL;
  gatepost_table *table = NULL;
  gatepost_str any = GATEPOST_STR_INIT;
  snprintf(text, sizeof text, manifests, prefix);
  if (gatepost_resources_add(resources, str("routes"), str(text), 0, NULL) == GATEPOST_OK &&
      gatepost_resolve(resources, NULL, &resolution, NULL) == GATEPOST_OK &&
      gatepost_resolution_table(resolution, any, any, &table, NULL) != GATEPOST_OK) {
    table = NULL;
  }
  gatepost_resolution_free(resolution);
  gatepost_resources_free(resources);
  return table;
}

static gatepost_code find(const gatepost_table *table, gatepost_scratch *scratch, const char *target) {
  gatepost_request request = GATEPOST_REQUEST_INIT;
  gatepost_match match = GATEPOST_MATCH_INIT;
  request.method = str("GET");
  request.host = str("shop.example.com");
  request.target = str(target);
  return gatepost_find(table, &request, scratch, &match);
}

/* Matches with the table that the parent read, then with one of its own. */
static int worker(gatepost_slot *slot) {
  gatepost_reader *reader = gatepost_reader_new(slot);
  gatepost_scratch *scratch = gatepost_scratch_new(gatepost_reader_table(reader));
  gatepost_table *own;
  int i, wrong = 0;
  for (i = 0; i < 1000; i++) wrong |= find(gatepost_reader_table(reader), scratch, "/cart/7") != GATEPOST_OK;
  own = table_of("/new");
  wrong |= own == NULL || gatepost_slot_publish(slot, own) != GATEPOST_OK;
  gatepost_table_release(own);
  wrong |= find(gatepost_reader_table(reader), scratch, "/cart/7") != GATEPOST_NOT_FOUND;
  wrong |= find(gatepost_reader_table(reader), scratch, "/new") != GATEPOST_OK;
  gatepost_scratch_free(scratch);
  gatepost_reader_free(reader);
  return wrong;
}

int main(void) {
  gatepost_table *table = table_of("/cart");
  gatepost_slot *slot = gatepost_slot_new(table);
  pid_t workers[WORKERS];
  int i, wrong = table == NULL || slot == NULL;
  for (i = 0; i < WORKERS && !wrong; i++) {
    workers[i] = fork();
    if (workers[i] == 0) {
      wrong = worker(slot);
      gatepost_slot_free(slot);
      gatepost_table_release(table);
      exit(wrong);
    }
    wrong |= workers[i] < 0;
  }
  while (i-- > 0) {
    int status = 0;
    wrong |= waitpid(workers[i], &status, 0) != workers[i] || !WIFEXITED(status) || WEXITSTATUS(status) != 0;
  }
  gatepost_slot_free(slot);
  gatepost_table_release(table);
  printf("fork: %d workers %s\n", WORKERS, wrong ? "went wrong" : "matched and swapped");
  return wrong;
}
