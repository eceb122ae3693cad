/* What the C tests share: a check that says where it failed, views, and a table from text. */
#ifndef CHECK_H
#define CHECK_H

#include <gatepost.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHECK(condition)                                                    \
  do {                                                                      \
    if (!(condition)) {                                                     \
      fprintf(stderr, "%s:%d: %s does not hold\n", __FILE__, __LINE__, #condition); \
      abort();                                                              \
    }                                                                       \
  } while (0)

static inline gatepost_str str(const char *text) {
  gatepost_str view = {text, strlen(text)};
  return view;
}

static inline int is(gatepost_str view, const char *text) {
  return view.len == strlen(text) && (view.len == 0 || memcmp(view.ptr, text, view.len) == 0);
}

/* Every filter that there is a function for. */
#define ALL_WORK                                                                                        \
  (GATEPOST_WORK_CORS | GATEPOST_WORK_REDIRECT | GATEPOST_WORK_REQUEST_HEADERS | GATEPOST_WORK_REWRITE | \
   GATEPOST_WORK_MIRROR | GATEPOST_WORK_RESPONSE_HEADERS)

/* The one table of a text that has to be sound. */
static inline gatepost_table *table_of(const char *text) {
  gatepost_resources *resources = gatepost_resources_new();
  gatepost_resolution *resolution = NULL;
  gatepost_options options = GATEPOST_OPTIONS_INIT;
  gatepost_table *table = NULL;
  gatepost_error *error = NULL;
  gatepost_str any = GATEPOST_STR_INIT;
  options.carries_out = ALL_WORK;
  if (gatepost_resources_add(resources, str("test.yaml"), str(text), 0, &error) != GATEPOST_OK || error != NULL) {
    size_t i;
    for (i = 0; i < gatepost_error_len(error); i++) {
      gatepost_error_info info = GATEPOST_ERROR_INFO_INIT;
      CHECK(gatepost_error_get(error, i, &info) == GATEPOST_OK);
      fprintf(stderr, "%s\n", info.display.ptr);
    }
    abort();
  }
  CHECK(gatepost_resolve(resources, &options, &resolution, &error) == GATEPOST_OK);
  CHECK(gatepost_resolution_table(resolution, any, any, &table, &error) == GATEPOST_OK);
  gatepost_resolution_free(resolution);
  gatepost_resources_free(resources);
  return table;
}

/* A Gateway on port 80, a Service `app` with port 8080, and what the caller adds. */
#define GATEWAY                                                                                      \
  "apiVersion: gateway.networking.k8s.io/v1\n"                                                       \
  "kind: Gateway\n"                                                                                  \
  "metadata: {name: gw, namespace: shop}\n"                                                          \
  "spec: {gatewayClassName: gatepost, listeners: [{name: http, port: 80, protocol: HTTP}]}\n"        \
  "---\n"

#define SERVICE(name)                                                                                \
  "apiVersion: v1\n"                                                                                 \
  "kind: Service\n"                                                                                  \
  "metadata: {name: " name ", namespace: shop}\n"                                                    \
  "spec: {ports: [{port: 8080}]}\n"                                                                  \
  "---\n"

#define ROUTE(name, rules)                                                                           \
  "apiVersion: gateway.networking.k8s.io/v1\n"                                                       \
  "kind: HTTPRoute\n"                                                                                \
  "metadata: {name: " name ", namespace: shop}\n"                                                    \
  "spec:\n"                                                                                          \
  "  parentRefs: [{name: gw}]\n"                                                                     \
  "  hostnames: [shop.example.com]\n"                                                                \
  "  rules:\n" rules "---\n"

#endif
