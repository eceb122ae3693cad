// gatepost: the Kubernetes Gateway API for programs in C and C++.
//
// This file is generated from the sources of libgatepost: do not edit it.
//
// BEFORE RELEASE 0.1 THERE IS NO PROMISE: functions and structs may change from one version to the next, without a change of
// the soname. Build against the header of the library that you run with.
//
// The life of a program
//
//   load:    gatepost_resources_new, gatepost_resources_add ..., gatepost_resolve, gatepost_resolution_table
//            (may allocate, may fail, any thread)
//   publish: gatepost_slot_new once, gatepost_slot_publish for every new table
//            (any thread, never keeps readers waiting)
//   request: gatepost_reader_table, gatepost_find, gatepost_pick
//            (no allocation, no system call; a lock only when the table has changed)
//
// Rules that hold everywhere
//
//   1. Text is pointer + length, any bytes; nothing needs a NUL, nothing of the caller's is kept after the call.
//   2. Text that comes back is borrowed: each struct says from what. Nothing from here is given to free(): each owned thing has
//      one function that ends it, and that function takes NULL.
//   3. Structs that are shared start with `size`; the *_INIT macros set it. The library reads and writes only what fits, so
//      structs can grow. A size that cannot be is GATEPOST_E_ARGUMENT.
//   4. Codes: 0 done; above 0 an ordinary answer ("no route"); below 0 a mistake or a limit. Where a function takes
//      `gatepost_error **`, it is always written if it is not NULL: with NULL when there is nothing to say.
//   5. NULL is an error, never a crash, but where it is said to mean something.
//   6. `const X *` may be used by many threads at once. `X *` needs one thread at a time, unless its comment says otherwise.
//   7. No panic leaves the library: the call answers GATEPOST_E_INTERNAL, and nothing is printed. Callbacks have to return (no
//      longjmp, no C++ exception through the library) and may not use the objects that the call was given as `X *`.
//   8. fork() is safe while no other thread is inside a call. The library starts no thread, opens no file, reads no environment
//      and sets no signal.


#ifndef GATEPOST_H
#define GATEPOST_H

#include <stddef.h>
#include <stdint.h>

#ifndef GATEPOST_API
#if defined(_WIN32) && !defined(GATEPOST_STATIC)
#define GATEPOST_API __declspec(dllimport)
#else
#define GATEPOST_API
#endif
#endif

#if defined(__GNUC__) || defined(__clang__)
#define GATEPOST_CHECK __attribute__((warn_unused_result))
#else
#define GATEPOST_CHECK
#endif

// What structs start as: everything empty, and `size` set.
#define GATEPOST_STR_INIT {NULL, 0}
#define GATEPOST_ERROR_INFO_INIT {(uint32_t)sizeof(gatepost_error_info), 0, 0, 0, 0, 0, {NULL, 0}, {NULL, 0}, {NULL, 0}, {NULL, 0}, {NULL, 0}}
#define GATEPOST_OPTIONS_INIT {(uint32_t)sizeof(gatepost_options), 0, 0, 0, {NULL, 0}, {NULL, 0}, 0, 0}
#define GATEPOST_MEMORY_INIT {(uint32_t)sizeof(gatepost_memory), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}
#define GATEPOST_REQUEST_INIT {(uint32_t)sizeof(gatepost_request), 0, 0, {NULL, 0}, {NULL, 0}, {NULL, 0}, {NULL, 0}, {NULL, 0}, NULL, 0, NULL, NULL}
#define GATEPOST_MATCH_INIT {(uint32_t)sizeof(gatepost_match), 0, {0, 0}, 0, 0, 0, 0, 0, 0, {NULL, 0}, {NULL, 0}, {NULL, 0}, {NULL, 0}, {NULL, 0}, {NULL, 0}, {NULL, 0}, {NULL, 0}, {NULL, 0}, {NULL, 0}, {NULL, 0}}
#define GATEPOST_BACKEND_INIT {(uint32_t)sizeof(gatepost_backend), 0, 0, 0, 0, 0, 0, 0, {NULL, 0}, {NULL, 0}, {NULL, 0}, {NULL, 0}, {NULL, 0}}

// The step of a counter of tickets that spreads them evenly: see gatepost_pick.
#define GATEPOST_TICKET_STEP UINT64_C(0x9e3779b97f4a7c15)


// The version of the binary interface: the number in `libgatepost.so.N`. Programs that use `dlopen` compare it with
// `gatepost_abi()`. Before release 0.1 nothing is promised: it may stay the same while functions change.
#define GATEPOST_ABI 0

// The first number of the library's version.
#define GATEPOST_VERSION_MAJOR 0

// The second.
#define GATEPOST_VERSION_MINOR 1

// The third.
#define GATEPOST_VERSION_PATCH 0

// Something was passed over on purpose.
#define GATEPOST_NOTE 1

// It works, though hardly as meant: a field that is not known, say.
#define GATEPOST_WARNING 2

// The object or the text is refused.
#define GATEPOST_ERROR 3

// With `gatepost_resources_add`: objects that are sound are added although others of the text are refused. The answer is
// `GATEPOST_E_MANIFEST` all the same. A text that cannot be read at all adds nothing.
#define GATEPOST_ADD_SOUND 1

// With `gatepost_resources_add`: fields and kinds of the experimental channel are refused.
#define GATEPOST_ADD_STANDARD 2

// The number of a backend that is none of the table's.
#define GATEPOST_NO_ID UINT32_MAX

// A request without a host is no mistake: HTTP/1.0, and HTTP/2 without authority.
#define GATEPOST_HOST_OPTIONAL 1

// What a backend speaks is not said: HTTP/1.1 for HTTPRoutes, HTTP/2 for GRPCRoutes, bytes for the rest.
#define GATEPOST_PROTOCOL_UNSPECIFIED 0

// HTTP/1.1.
#define GATEPOST_PROTOCOL_HTTP1 1

// HTTP/2 with prior knowledge, or over TLS.
#define GATEPOST_PROTOCOL_HTTP2 2

// WebSocket.
#define GATEPOST_PROTOCOL_WEBSOCKET 3

// Bytes.
#define GATEPOST_PROTOCOL_TCP 4

// The target in canonical form differs from what came: forward `gatepost_match.target`, nothing else.
#define GATEPOST_WORK_REWRITE_TARGET 1

// The target named an authority (`GET http://name/`): the Host of the forwarded request has to be `gatepost_match.authority`.
#define GATEPOST_WORK_REWRITE_HOST 2

// Answer 500: a filter could not be resolved, and none is skipped.
#define GATEPOST_WORK_FAULT 4

// CORS: `gatepost_preflight` for the request, `gatepost_response_headers` for its answer.
#define GATEPOST_WORK_CORS 8

// Ask whether the request may pass. There is no function for it yet, so do not list it in `carries_out`.
#define GATEPOST_WORK_AUTHORIZE 16

// Answer with a redirect: `gatepost_redirect`.
#define GATEPOST_WORK_REDIRECT 32

// Edit the request's header fields: `gatepost_request_headers`.
#define GATEPOST_WORK_REQUEST_HEADERS 64

// Replace host or path: `gatepost_rewrite_target`, `gatepost_rewrite_host`.
#define GATEPOST_WORK_REWRITE 128

// Send copies: `gatepost_mirror`.
#define GATEPOST_WORK_MIRROR 256

// Edit the answer's header fields: `gatepost_response_headers`.
#define GATEPOST_WORK_RESPONSE_HEADERS 512

// Some backend has work of its own: see `gatepost_backend.work`.
#define GATEPOST_WORK_BACKEND 1024

// An edit: every field of the name is replaced by this one.
#define GATEPOST_HEADER_SET 1

// An edit: the field is appended.
#define GATEPOST_HEADER_ADD 2

// An edit: every field of the name goes.
#define GATEPOST_HEADER_REMOVE 3

// In the place of a backend's index: the rule's own work.
#define GATEPOST_RULE UINT32_MAX

// What a call has to say: a list, because one load finds all problems at once. It never changes; any thread may free it.
typedef struct gatepost_error gatepost_error;

// One thread's way to the newest table.
typedef struct gatepost_reader gatepost_reader;

// What resources came to: tables and statuses. It never changes.
typedef struct gatepost_resolution gatepost_resolution;

// The objects of a configuration: Gateways, routes, Services and so on.
typedef struct gatepost_resources gatepost_resources;

// Memory that one thread matches with, so that matching does not allocate.
typedef struct gatepost_scratch gatepost_scratch;

// Holds the newest table. It is shared by threads.
typedef struct gatepost_slot gatepost_slot;

// A table of routes: it never changes, is counted, and is shared by threads.
typedef struct gatepost_table gatepost_table;

// Text that the library made, such as JSON.
typedef struct gatepost_text gatepost_text;

// Text as pointer and length: any bytes, no NUL needed. `ptr` may be NULL only when `len` is 0.
//
// Text that the library hands out is borrowed: every function says for how long.
typedef struct gatepost_str {
  // The first byte.
  const char *ptr;
  // How many bytes there are.
  size_t len;
} gatepost_str;

// What a function answers: 0 done; above 0 an ordinary answer ("no route"), not to be logged as an error; below 0 a mistake
// or a limit. A fixed width, since that of a C enum is the compiler's choice.
typedef int32_t gatepost_code;

// One entry of an error. Its texts are borrowed from the error, and end in NUL.
typedef struct gatepost_error_info {
  // `sizeof(gatepost_error_info)`; `GATEPOST_ERROR_INFO_INIT` sets it.
  uint32_t size;
  // `GATEPOST_NOTE`, `GATEPOST_WARNING` or `GATEPOST_ERROR`.
  uint32_t level;
  // The code that it stands for; 0 for warnings and notes of a call that went well.
  gatepost_code code;
  // The line in the text, from 1; 0 where it is not known.
  uint32_t line;
  // The column, from 1, in characters; 0 where it is not known.
  uint32_t column;
  // Always 0.
  uint32_t reserved;
  // What is wrong and what was expected: one line.
  struct gatepost_str message;
  // The name that was given to the text, such as a file's.
  struct gatepost_str source;
  // The object, such as `HTTPRoute/shop/cart`.
  struct gatepost_str object;
  // The field, such as `spec.rules[2].matches[0].path.value`.
  struct gatepost_str field;
  // All of it in one line: `source:line:column: level: object: field: message`.
  struct gatepost_str display;
} gatepost_error_info;

// How resources are resolved.
typedef struct gatepost_options {
  // `sizeof(gatepost_options)`; `GATEPOST_OPTIONS_INIT` sets it.
  uint32_t size;
  // None yet: 0.
  uint32_t flags;
  // The filters that the host carries out, or'ed: `GATEPOST_WORK_CORS`, `_REDIRECT`, `_REQUEST_HEADERS`, `_REWRITE`, `_MIRROR`,
  // `_RESPONSE_HEADERS`. A filter is never
  // skipped, so rules that use any other do not serve, and their routes' status says `UnsupportedValue`. 0, and NULL in
  // the place of options: none.
  uint32_t carries_out;
  // Always 0.
  uint32_t reserved;
  // `GatewayClass.spec.controllerName` of the classes that are ours; empty: `gatepost.dev/gateway-controller`.
  struct gatepost_str controller_name;
  // How request paths are brought into canonical form, such as `encodedSlash=keep,mergeSlashes=false`; empty is strict. A
  // Gateway's annotation `gatepost.dev/path-policy` goes before it.
  struct gatepost_str path_policy;
  // The key of the tables' hashes: who does not know it cannot make requests or names that collide. Both 0: drawn at random.
  uint64_t hash_key_low;
  // The other half.
  uint64_t hash_key_high;
} gatepost_options;

// Bytes that a table holds, by part. Expressions of header and query matches are not counted.
typedef struct gatepost_memory {
  // `sizeof(gatepost_memory)`; `GATEPOST_MEMORY_INIT` sets it.
  uint32_t size;
  // How many rules there are: ids of rules are below.
  uint32_t rules_len;
  // How many backends there are: ids of backends are below.
  uint32_t backends_len;
  // Always 0.
  uint32_t reserved;
  // All of it.
  uint64_t total;
  // Hostnames, paths and values, each stored once.
  uint64_t texts;
  // Listeners and hosts.
  uint64_t hosts;
  // Paths.
  uint64_t paths;
  // Candidates, and how they are told apart.
  uint64_t candidates;
  // Automata of the expressions over paths.
  uint64_t patterns;
  // Numbers of rules and backends.
  uint64_t rules;
} gatepost_memory;

// Ends data that was attached to a table.
typedef void (*gatepost_destroy_fn)(void *data);

// One header field.
typedef struct gatepost_header {
  // Its name, in any case.
  struct gatepost_str name;
  // Its value.
  struct gatepost_str value;
} gatepost_header;

// Answers the `index`-th value (from 0) of a header field by putting it into `*value`: not 0 if there is one, 0 if there is
// none. `name` is in lower case. The value has to stay as it is until the library function that asks returns.
//
// It is called only for names that a candidate rule asks for, so a host with a header table of its own copies nothing.
typedef int (*gatepost_header_fn)(void *ctx, struct gatepost_str name, size_t index, struct gatepost_str *value);

// A request. Nothing of it is kept after the call.
typedef struct gatepost_request {
  // `sizeof(gatepost_request)`; `GATEPOST_REQUEST_INIT` sets it.
  uint32_t size;
  // The listener's port, as the Gateway says it; 0 where the HTTP listeners have just one.
  uint16_t port;
  // `GATEPOST_HOST_OPTIONAL` or 0.
  uint16_t flags;
  // The method, as on the wire.
  struct gatepost_str method;
  // The target as on the wire, not decoded: path and query (`/a%20b?c=d`), a URL, or `*`.
  struct gatepost_str target;
  // The `:authority` of HTTP/2; NULL where there is none.
  struct gatepost_str authority;
  // The value of the Host field. With NULL the header fields below are asked for it, and then two of them are seen and
  // refused.
  struct gatepost_str host;
  // The server name of the TLS connection, in any case; NULL without TLS, or without a name.
  struct gatepost_str sni;
  // The header fields as an array ...
  const struct gatepost_header *headers;
  // ... of this length,
  size_t headers_len;
  // or as a function, which goes before the array ...
  gatepost_header_fn header;
  // ... and is given this.
  void *header_ctx;
} gatepost_request;

// A match by number. It survives the phases of a server, and outlives the memory of the request; together with the table it
// is the match.
typedef struct gatepost_match_id {
  // The table's number (`gatepost_table_generation`); 0 in an id that was never set.
  uint64_t table;
  // The match in it.
  uint64_t matched;
} gatepost_match_id;

// What serves a request. The memory is the caller's.
//
// Names are borrowed from the table. What belongs to the request (`target`, `path`, `query`, `host`, `authority`) is
// borrowed from the request's own memory and from the scratch: it is there until the scratch is used again.
typedef struct gatepost_match {
  // `sizeof(gatepost_match)`; `GATEPOST_MATCH_INIT` sets it.
  uint32_t size;
  // What is left to do, `GATEPOST_WORK_*` or'ed; 0 for most rules. A host that meets a bit that it does not know answers 500.
  uint32_t work;
  // The match by number, to be kept for later phases.
  struct gatepost_match_id id;
  // The number of the rule, below `gatepost_memory.rules_len`: an index for the host's own arrays.
  uint32_t rule_id;
  // How many backends the rule has.
  uint32_t backends_len;
  // The rule is `spec.rules[rule_index]` of its route,
  uint32_t rule_index;
  // and the match `matches[match_index]` of the rule.
  uint32_t match_index;
  // `timeouts.request` in milliseconds, rounded up; 0: no limit.
  uint64_t request_timeout_ms;
  // `timeouts.backendRequest` in milliseconds, rounded up; 0: no limit.
  uint64_t backend_timeout_ms;
  // The route's kind, such as `HTTPRoute`,
  struct gatepost_str route_kind;
  // its namespace,
  struct gatepost_str route_namespace;
  // and its name.
  struct gatepost_str route_name;
  // `rules[].name`; empty: it has none.
  struct gatepost_str rule_name;
  // The listener's name.
  struct gatepost_str listener_name;
  // Path and query as they have to be forwarded: in canonical form, which is what was matched. With
  // `GATEPOST_WORK_REWRITE_TARGET` in `work` they differ from the target as it came, and only these may be forwarded.
  struct gatepost_str target;
  // The path alone.
  struct gatepost_str path;
  // The query alone, without `?`; its pointer is NULL if there is none.
  struct gatepost_str query;
  // The host that was asked for: lower case, without port; empty if none was.
  struct gatepost_str host;
  // With `GATEPOST_WORK_REWRITE_HOST`: what the Host field of the forwarded request has to be.
  struct gatepost_str authority;
  // Why there is no match, in words, where the answer is above 0; static. Nothing else is set then.
  struct gatepost_str reason;
} gatepost_match;

// A backend. Its texts are borrowed from the table. The memory is the caller's.
typedef struct gatepost_backend {
  // `sizeof(gatepost_backend)`; `GATEPOST_BACKEND_INIT` sets it.
  uint32_t size;
  // The number of its destination in the table, below `gatepost_memory.backends_len`; the same kind, namespace, name and
  // port have the same number. `GATEPOST_NO_ID`: it is invalid.
  uint32_t id;
  // Its place in the rule's `backendRefs`; 0 for one that was asked for by number.
  uint32_t index;
  // Its weight; 0 for one that was asked for by number.
  uint32_t weight;
  // The port of the Service.
  uint32_t port;
  // `GATEPOST_PROTOCOL_*`.
  uint32_t protocol;
  // What is left to do for this backend alone, after the rule's work: `GATEPOST_WORK_*` or'ed.
  uint32_t work;
  // 1 if the connection to it has to be encrypted, else 0.
  uint32_t tls;
  // `Service` or another kind that can be referred to.
  struct gatepost_str kind;
  // Its namespace.
  struct gatepost_str ns;
  // Its name.
  struct gatepost_str name;
  // The server name of its TLS, to be verified too.
  struct gatepost_str tls_hostname;
  // Why there is none, in words for logs, where the answer is `GATEPOST_NO_BACKEND` or the backend is invalid; borrowed from
  // the table.
  struct gatepost_str reason;
} gatepost_backend;

// Carries out one edit of a header field: `op` is one of `GATEPOST_HEADER_*`, `value` is empty for a removal. Not 0 stops,
// because the host is out of memory, say: the caller then gets `GATEPOST_E_LIMIT`.
typedef int (*gatepost_edit_fn)(void *ctx, uint32_t op, struct gatepost_str name, struct gatepost_str value);

// Done.
#define GATEPOST_OK 0

// No listener takes the host, or no rule of the listener matches: answer 404 (gRPC: UNIMPLEMENTED).
#define GATEPOST_NOT_FOUND 1

// The target, the host or the path is refused before anything is looked up: answer 400.
#define GATEPOST_BAD_REQUEST 2

// The host belongs to another listener than the TLS connection does: answer 421.
#define GATEPOST_MISDIRECTED 3

// The method is CONNECT: answer 501.
#define GATEPOST_NOT_IMPLEMENTED 4

// The rule has no backend, all weights are zero or all are tried, or the one picked is invalid: answer 500 (gRPC:
// UNAVAILABLE).
#define GATEPOST_NO_BACKEND 5

// The end of a list.
#define GATEPOST_END 6

// NULL where it may not be, a `size` that cannot be, a flag that is not known, text that is not UTF-8 where it has to be.
#define GATEPOST_E_ARGUMENT -1

// A manifest that cannot be read, or an object that an API server would refuse; the error lists all of them with their places.
#define GATEPOST_E_MANIFEST -2

// A buffer of the caller that is too small, a callback that stopped, or a limit of the library.
#define GATEPOST_E_LIMIT -3

// No such Gateway.
#define GATEPOST_E_UNKNOWN -4

// The match was found in another table, or in another version of this one.
#define GATEPOST_E_STALE -5

// A bug in the library; nothing that it owned is lost or changed. The error has the text of the panic.
#define GATEPOST_E_INTERNAL -6

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

// The binary interface that the library has, to be compared with `GATEPOST_ABI`.
GATEPOST_API uint32_t gatepost_abi(void);

// The library's version as one number: 1,000,000 times the first, 1,000 times the second, and the third.
GATEPOST_API uint32_t gatepost_version_number(void);

// The library's version in full, such as `0.1.0-alpha.1`. Static, ends in NUL.
GATEPOST_API const char *gatepost_version(void);

// The name of a code, such as `NOT_FOUND`, for logs; `UNKNOWN_CODE` for a number that is none. Static, with a NUL behind it.
GATEPOST_API
struct gatepost_str gatepost_code_name(gatepost_code code);

// The HTTP status that answers a request for which `gatepost_find` or a pick gave this code; 0 for `GATEPOST_OK` and
// `GATEPOST_END`, which are no answer.
GATEPOST_API uint16_t gatepost_code_status(gatepost_code code);

// How many entries there are; 0 for NULL.
GATEPOST_API size_t gatepost_error_len(const struct gatepost_error *error);

// One entry, from 0. `GATEPOST_END` past the last.
GATEPOST_API gatepost_code gatepost_error_get(const struct gatepost_error *error, size_t index, struct gatepost_error_info *out);

// Ends an error. NULL is taken.
GATEPOST_API void gatepost_error_free(struct gatepost_error *error);

// The text, which also ends in NUL; it stays until `gatepost_text_free`. Empty for NULL.
GATEPOST_API struct gatepost_str gatepost_text_get(const struct gatepost_text *text);

// Ends a text. NULL is taken.
GATEPOST_API void gatepost_text_free(struct gatepost_text *text);

// An empty set. Ended by `gatepost_resources_free`.
GATEPOST_API struct gatepost_resources *gatepost_resources_new(void);

// Reads a text (a YAML stream, JSON, or either with objects in a `List`) and adds its objects; one with the same kind,
// namespace and name as one that is there replaces it. All or nothing, unless `flags` say otherwise.
//
// `source` is what errors call the text, such as a file's name. `flags` are `GATEPOST_ADD_*`. Objects that a Kubernetes API
// server would refuse are refused here, with line, column and field; what the specification leaves to a status (a backend
// that does not exist, say) is none of this: see `gatepost_resolution_statuses`. After `GATEPOST_OK` the error has
// warnings and notes, if there are any: fields that are not known, kinds that were passed over.
GATEPOST_API
GATEPOST_CHECK
gatepost_code gatepost_resources_add(struct gatepost_resources *resources,
                                     struct gatepost_str source,
                                     struct gatepost_str text,
                                     uint32_t flags,
                                     struct gatepost_error **error);

// Takes an object out, if it is there. `kind` is a kind's name, such as `HTTPRoute`; `ns` is empty for kinds without a
// namespace.
GATEPOST_API
GATEPOST_CHECK
gatepost_code gatepost_resources_remove(struct gatepost_resources *resources,
                                        struct gatepost_str kind,
                                        struct gatepost_str ns,
                                        struct gatepost_str name,
                                        struct gatepost_error **error);

// How many objects there are; 0 for NULL.
GATEPOST_API size_t gatepost_resources_len(const struct gatepost_resources *resources);

// Ends a set; what was resolved from it stays. NULL is taken.
GATEPOST_API void gatepost_resources_free(struct gatepost_resources *resources);

// Resolves resources: which listeners serve, which routes attach to them, where requests go. It always comes out: what is
// wrong with a route becomes a condition of its status, not an error. `options` may be NULL. Ended by
// `gatepost_resolution_free`.
GATEPOST_API
GATEPOST_CHECK
gatepost_code gatepost_resolve(const struct gatepost_resources *resources,
                               const struct gatepost_options *options,
                               struct gatepost_resolution **out,
                               struct gatepost_error **error);

// The table of a Gateway. Gateways without addresses of their own share one; asking twice gives the same one. Namespace and
// name may both be empty where there is just one table. The caller owns one reference: `gatepost_table_release`.
// `GATEPOST_E_UNKNOWN` if no class of ours has such a Gateway.
GATEPOST_API
GATEPOST_CHECK
gatepost_code gatepost_resolution_table(const struct gatepost_resolution *resolution,
                                        struct gatepost_str ns,
                                        struct gatepost_str name,
                                        struct gatepost_table **out,
                                        struct gatepost_error **error);

// The statuses that a controller writes, as JSON: a list of objects `{"kind", "namespace", "name", "status"}`, in the order
// of kinds and names, as if all ports could be opened. `now` is an instant as Kubernetes writes it
// (`2026-01-31T12:00:00Z`): conditions that changed get it. Ended by `gatepost_text_free`.
GATEPOST_API
GATEPOST_CHECK
gatepost_code gatepost_resolution_statuses(const struct gatepost_resolution *resolution,
                                           struct gatepost_str now,
                                           struct gatepost_text **out,
                                           struct gatepost_error **error);

// Ends a resolution; tables that were taken from it stay. NULL is taken.
GATEPOST_API void gatepost_resolution_free(struct gatepost_resolution *resolution);

// One more reference to a table, to be ended by `gatepost_table_release`. NULL for NULL.
GATEPOST_API struct gatepost_table *gatepost_table_retain(const struct gatepost_table *table);

// Ends one reference to a table; the last one ends the table. That takes milliseconds for large ones. NULL is taken.
GATEPOST_API void gatepost_table_release(struct gatepost_table *table);

// The number of a table: it grows within a process and is never 0, but for NULL.
GATEPOST_API uint64_t gatepost_table_generation(const struct gatepost_table *table);

// What a table holds, in bytes, and how many rules and backends it numbers. The rules themselves (names, filters) are not
// counted.
GATEPOST_API
gatepost_code gatepost_table_memory(const struct gatepost_table *table,
                                    struct gatepost_memory *out);

// Hangs the host's own data on a table (its upstreams by number of backend, say). Once for each table, best before it is
// published. `destroy` runs on whichever thread drops the last reference; it may be NULL. `GATEPOST_E_ARGUMENT` if there is
// data already: what was given stays the caller's then.
GATEPOST_API
GATEPOST_CHECK
gatepost_code gatepost_table_attach(const struct gatepost_table *table,
                                    void *data,
                                    gatepost_destroy_fn destroy);

// The data that was hung on a table; NULL if there is none.
GATEPOST_API void *gatepost_table_attached(const struct gatepost_table *table);

// A slot with its first table, of which it takes a reference of its own. NULL for NULL. Ended by `gatepost_slot_free`.
GATEPOST_API struct gatepost_slot *gatepost_slot_new(const struct gatepost_table *table);

// Makes a table the newest one; the slot takes a reference of its own. Any thread may do so at any time. Readers never wait
// for more than the exchange of two pointers, and keep the old table until they ask again.
GATEPOST_API
GATEPOST_CHECK
gatepost_code gatepost_slot_publish(const struct gatepost_slot *slot,
                                    const struct gatepost_table *table);

// The newest table, with a reference that the caller owns: for hosts that have no memory for each thread. Any thread may ask.
// NULL for NULL.
GATEPOST_API
struct gatepost_table *gatepost_slot_table(const struct gatepost_slot *slot);

// Ends a slot; its readers keep what they hold, and see no new table. NULL is taken.
GATEPOST_API void gatepost_slot_free(struct gatepost_slot *slot);

// A reader, for one thread at a time. NULL for NULL. Ended by `gatepost_reader_free`.
GATEPOST_API struct gatepost_reader *gatepost_reader_new(const struct gatepost_slot *slot);

// The newest table, borrowed until the next call with this reader: one atomic load when nothing changed. A request that
// waits (for a body, for a backend) keeps the table with `gatepost_table_retain`. NULL for NULL.
GATEPOST_API const struct gatepost_table *gatepost_reader_table(struct gatepost_reader *reader);

// Ends a reader. NULL is taken.
GATEPOST_API void gatepost_reader_free(struct gatepost_reader *reader);

// Memory for one thread to match with: `gatepost_find` does not allocate with it, as long as targets are not longer than
// 8,192 bytes; it grows once for longer ones. It serves every table; `table` (which may be NULL) only says how much is needed
// now. Ended by `gatepost_scratch_free`.
GATEPOST_API
struct gatepost_scratch *gatepost_scratch_new(const struct gatepost_table *table);

// Ends a scratch, and with it the texts of matches that were found with it. NULL is taken.
GATEPOST_API void gatepost_scratch_free(struct gatepost_scratch *scratch);

// Finds the rule that serves a request: `GATEPOST_OK`, `GATEPOST_NOT_FOUND` (404), `GATEPOST_BAD_REQUEST` (400),
// `GATEPOST_MISDIRECTED` (421), `GATEPOST_NOT_IMPLEMENTED` (501), or a code below 0 for a mistake of the caller's.
//
// No allocation, no lock, no system call, but for what the header callback does; the cost does not grow with the number of
// rules. What is matched is the canonical form of the target, and `out->target` is what has to be forwarded.
GATEPOST_API
GATEPOST_CHECK
gatepost_code gatepost_find(const struct gatepost_table *table,
                            const struct gatepost_request *request,
                            struct gatepost_scratch *scratch,
                            struct gatepost_match *out);

// The match of an id, in a later phase: all but `target`, `path`, `query`, `host`, `authority` and the two bits that speak of
// them, which belonged to the request. `GATEPOST_E_STALE` if it was found in another table: keep the table with
// `gatepost_table_retain`, or find again.
GATEPOST_API
GATEPOST_CHECK
gatepost_code gatepost_resume(const struct gatepost_table *table,
                              struct gatepost_match_id id,
                              struct gatepost_match *out);

// Picks a backend of a match by weight. `ticket` is 64 bits of the caller's choosing, evenly spread: random, or a counter in
// steps of `GATEPOST_TICKET_STEP`, which keeps shares exact over short stretches. The same ticket and table give the same answer.
// `GATEPOST_NO_BACKEND` (500): there is none, or the one picked is invalid, which keeps its share.
GATEPOST_API
GATEPOST_CHECK
gatepost_code gatepost_pick(const struct gatepost_table *table,
                            struct gatepost_match_id id,
                            uint64_t ticket,
                            struct gatepost_backend *out);

// Picks by key (a session, a client's address), weighted, so that a change of backends or weights moves as few keys as it can.
GATEPOST_API
GATEPOST_CHECK
gatepost_code gatepost_pick_key(const struct gatepost_table *table,
                                struct gatepost_match_id id,
                                struct gatepost_str key,
                                struct gatepost_backend *out);

// Picks another backend for a retry: by weight among those whose `index` is not one of `tried`. A backend that stands twice in
// the list, with different filters, counts as two. `GATEPOST_NO_BACKEND` when nothing is left.
GATEPOST_API
GATEPOST_CHECK
gatepost_code gatepost_pick_other(const struct gatepost_table *table,
                                  struct gatepost_match_id id,
                                  uint64_t ticket,
                                  const uint32_t *tried,
                                  size_t tried_len,
                                  struct gatepost_backend *out);

// A backend of a match by its place in `backendRefs`; `GATEPOST_END` past the last. One that is invalid has `GATEPOST_NO_ID`.
GATEPOST_API
GATEPOST_CHECK
gatepost_code gatepost_match_backend(const struct gatepost_table *table,
                                     struct gatepost_match_id id,
                                     uint32_t index,
                                     struct gatepost_backend *out);

// A destination of the table by its number, so that a host finds its upstreams once for each table and indexes them from then
// on; mirrors are among them. `GATEPOST_END` past the last. `index`, `weight`, `work`, `protocol` and `tls` are not set, as they
// are said by the rule that refers to it.
GATEPOST_API
GATEPOST_CHECK
gatepost_code gatepost_table_backend(const struct gatepost_table *table,
                                     uint32_t id,
                                     struct gatepost_backend *out);

// Tells the host of the edits that the request's header fields need, in order. `index` is `GATEPOST_RULE` for the rule's, or a
// backend's place for those of the backend, which come after. `GATEPOST_E_LIMIT` if the callback stopped. No allocation.
GATEPOST_API
GATEPOST_CHECK
gatepost_code gatepost_request_headers(const struct gatepost_table *table,
                                       struct gatepost_match_id id,
                                       uint32_t index,
                                       gatepost_edit_fn callback,
                                       void *ctx);

// Tells the host of the edits that the answer's header fields need, in order: those of the backend with this `index`, then the
// rule's, then CORS for the `Origin` of the request. `index` is `GATEPOST_RULE` for answers that no backend gave. The request
// is only asked for its header fields; it may be NULL where `work` has no `GATEPOST_WORK_CORS`.
GATEPOST_API
GATEPOST_CHECK
gatepost_code gatepost_response_headers(const struct gatepost_table *table,
                                        struct gatepost_match_id id,
                                        uint32_t index,
                                        const struct gatepost_request *request,
                                        gatepost_edit_fn callback,
                                        void *ctx);

// Answers CORS preflights. After `GATEPOST_OK`, `*status` is 0 if the request is no preflight and goes on, or the status of the
// answer, whose header fields the callback was told of.
GATEPOST_API
GATEPOST_CHECK
gatepost_code gatepost_preflight(const struct gatepost_table *table,
                                 struct gatepost_match_id id,
                                 const struct gatepost_request *request,
                                 struct gatepost_scratch *scratch,
                                 gatepost_edit_fn callback,
                                 void *ctx,
                                 uint32_t *status);

// Writes path and query as they have to be forwarded: in canonical form, rewritten by the rule and, unless `index` is
// `GATEPOST_RULE`, by that backend. `*len` becomes their length. `GATEPOST_E_LIMIT`: the buffer is too small, and `*len` is what
// it takes. `GATEPOST_NOT_IMPLEMENTED`: the method is CONNECT. Allocates.
GATEPOST_API
GATEPOST_CHECK
gatepost_code gatepost_rewrite_target(const struct gatepost_table *table,
                                      struct gatepost_match_id id,
                                      uint32_t index,
                                      const struct gatepost_request *request,
                                      struct gatepost_scratch *scratch,
                                      char *buffer,
                                      size_t capacity,
                                      size_t *len);

// The Host that the rule's rewrite and, unless `index` is `GATEPOST_RULE`, the backend's gives the forwarded request, borrowed
// from the table. Empty: none, so it stays what it is, or becomes `gatepost_match.authority`.
GATEPOST_API
struct gatepost_str gatepost_rewrite_host(const struct gatepost_table *table,
                                          struct gatepost_match_id id,
                                          uint32_t index);

// Writes the value of `Location` for a redirect, an absolute URL, and its status. `GATEPOST_NOT_FOUND`: the rule has no
// redirect. `GATEPOST_BAD_REQUEST`: it leads to the request's own host, and the request names none. `GATEPOST_E_LIMIT`: the buffer
// is too small, and `*len` is what it takes. `GATEPOST_NOT_IMPLEMENTED`: the method is CONNECT. Allocates.
GATEPOST_API
GATEPOST_CHECK
gatepost_code gatepost_redirect(const struct gatepost_table *table,
                                struct gatepost_match_id id,
                                const struct gatepost_request *request,
                                struct gatepost_scratch *scratch,
                                char *buffer,
                                size_t capacity,
                                size_t *len,
                                uint32_t *status);

// The `number`-th mirror (from 0) of the rule or, unless `index` is `GATEPOST_RULE`, of that backend. `GATEPOST_NO_BACKEND`: this
// request is not copied there; `GATEPOST_END`: there are no more. `ticket` is 64 bits, evenly spread, another one for each mirror.
GATEPOST_API
GATEPOST_CHECK
gatepost_code gatepost_mirror(const struct gatepost_table *table,
                              struct gatepost_match_id id,
                              uint32_t index,
                              uint32_t number,
                              uint64_t ticket,
                              struct gatepost_backend *out);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* GATEPOST_H */
