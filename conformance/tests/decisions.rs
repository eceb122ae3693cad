//! Decisions of docs/semantics.md that no single request shows.

use gatepost::controller::{Controller, Resolution};
use gatepost::document::Limits;
use gatepost::key::{Channel, Kind, NamespacedName, ObjectKey};
use gatepost::manifest::{collect, read};
use gatepost::resources::Resources;
use gatepost::status::{Facts, SUPPORTED_FEATURES, supported_features};
use gatepost::target::{EncodedSlash, PathPolicy};
use gatepost::timestamp::Timestamp;
use gatepost_conformance::request::{Outcome, Request};
use gatepost_conformance::subject::{Model, Subject, Table};
use serde_json::Value;

const GATEWAY: &str = "
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: gw, namespace: app}
spec: {gatewayClassName: gatepost, listeners: [{name: http, port: 80, protocol: HTTP}]}
";
const SERVICE: &str = "
apiVersion: v1
kind: Service
metadata: {name: s, namespace: app}
spec: {ports: [{port: 80}]}
";

/// HTTPRoute `app/r` on the Gateway, with these rules.
fn http_route(rules: &str) -> String {
    format!(
        "
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {{name: r, namespace: app}}
spec:
  parentRefs: [{{name: gw}}]
  rules:
{rules}"
    )
}

fn resources(texts: &[&str]) -> Resources {
    let limits = Limits::default();
    let loads = texts
        .iter()
        .map(|text| read("test", text.as_bytes(), &limits));
    let collected = collect(loads, Channel::Experimental, &limits);
    assert!(collected.problems.is_empty(), "{:?}", collected.problems);
    collected.resources
}

fn ask(target: &str) -> Request {
    Request {
        port: 80,
        method: "GET".to_owned(),
        target: target.as_bytes().to_vec(),
        hosts: vec![b"a.test".to_vec()],
        ..Request::default()
    }
}

fn status(resources: &Resources, resolution: &Resolution, key: &ObjectKey) -> Value {
    let now = Timestamp::from_unix_seconds(1_800_000_000);
    let statuses = resolution.statuses(&Facts::ideal());
    statuses.status(key, resources, now).expect("a status")
}

/// Status and reason of a condition.
fn condition(conditions: &Value, name: &str) -> (String, String) {
    let all = conditions.as_array().expect("conditions");
    let found = all
        .iter()
        .find(|one| one["type"] == name)
        .expect("the condition");
    let text = |key: &str| found[key].as_str().unwrap_or_default().to_owned();
    (text("status"), text("reason"))
}

fn policy(resolution: &Resolution, name: &str) -> PathPolicy {
    let gateway = NamespacedName::new("app", name);
    let table = resolution.table(&gateway).expect("a table");
    table.settings().path_policy
}

#[test]
fn an_expression_over_budget_takes_down_its_rule_only() {
    let route = &http_route(
        "  - {matches: [{path: {type: RegularExpression, value: '/(a|b)*a(a|b){17}'}}], backendRefs: [{name: s, port: 80}]}
  - {matches: [{path: {value: /fine}}], backendRefs: [{name: s, port: 80}]}
",
    );
    let resources = resources(&[GATEWAY, SERVICE, route]);
    let resolution = Controller::default().resolve(&resources);
    let status = status(
        &resources,
        &resolution,
        &ObjectKey::new(Kind::HttpRoute, "app", "r"),
    );
    let conditions = &status["parents"][0]["conditions"];
    assert_eq!(
        condition(conditions, "PartiallyInvalid"),
        ("True".to_owned(), "UnsupportedValue".to_owned())
    );
    assert_eq!(condition(conditions, "Accepted").0, "True");
    let table = Table::new(&resources);
    assert!(matches!(
        table.answer(&ask("/fine")),
        Outcome::Forwarded { .. }
    ));
    assert_eq!(
        table.answer(&ask("/aaaaaaaaaaaaaaaaaaaa")),
        Outcome::NotServed {
            status: 404,
            plan: Vec::new()
        }
    );
}

#[test]
fn expressions_of_a_route_share_a_budget() {
    // Each stays within its own budget: more than 8 KiB a header, 32 headers a rule. The last rule uses those of the first.
    let header = |number: usize| {
        format!(
            "{{name: x-{number}, type: RegularExpression, value: 'v{number}(a|b)*a(a|b){{7}}'}}"
        )
    };
    let rules = (0..16).map(|rule| {
        let first = if rule == 15 { 0 } else { rule * 32 };
        let matches = [first, first + 16].map(|first| {
            let headers: Vec<String> = (first..first + 16).map(header).collect();
            format!("{{path: {{value: /{rule}}}, headers: [{}]}}", headers.join(", "))
        });
        let [one, two] = matches;
        format!("  - {{matches: [{{path: {{value: /{rule}}}}}, {one}, {two}], backendRefs: [{{name: s, port: 80}}]}}\n")
    });
    let route = http_route(&rules.collect::<String>());
    let resources = resources(&[GATEWAY, SERVICE, &route]);
    let table = Table::new(&resources);
    let served = (0..16).filter(|rule| {
        let answer = table.answer(&ask(&format!("/{rule}")));
        matches!(answer, Outcome::Forwarded { .. })
    });
    let served: Vec<i32> = served.collect();
    let first = served.iter().zip(0..).take_while(|(one, at)| **one == *at);
    let first = first.count();
    assert!(first > 0 && first < 15, "{served:?}");
    assert_eq!(
        served.last(),
        Some(&15),
        "its expressions are those of the first"
    );
    let resolution = Controller::default().resolve(&resources);
    let route = ObjectKey::new(Kind::HttpRoute, "app", "r");
    let status = status(&resources, &resolution, &route);
    let partly = condition(&status["parents"][0]["conditions"], "PartiallyInvalid");
    assert_eq!(partly, ("True".to_owned(), "UnsupportedValue".to_owned()));
}

#[test]
fn a_redirect_beside_a_rewrite_takes_down_the_rule() {
    // What an API server would refuse never gets this far from a file; from a cluster it may, so resolution judges it too.
    let route = serde_json::json!({
        "apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute", "metadata": {"name": "r", "namespace": "app"},
        "spec": {"parentRefs": [{"name": "gw"}], "rules": [{"filters": [
            {"type": "RequestRedirect", "requestRedirect": {"scheme": "https"}},
            {"type": "URLRewrite", "urlRewrite": {"hostname": "b.test"}},
        ]}]},
    });
    let mut resources = resources(&[GATEWAY]);
    let route = gatepost::resources::Resource::from_json(route).expect("a route");
    resources.insert(std::sync::Arc::new(route));
    let resolution = Controller::default().resolve(&resources);
    let status = status(
        &resources,
        &resolution,
        &ObjectKey::new(Kind::HttpRoute, "app", "r"),
    );
    let accepted = condition(&status["parents"][0]["conditions"], "Accepted");
    assert_eq!(
        accepted,
        ("False".to_owned(), "IncompatibleFilters".to_owned())
    );
}

#[test]
fn a_gateway_may_name_its_path_policy() {
    let annotated = GATEWAY.replace(
        "namespace: app}",
        "namespace: app, annotations: {gatepost.dev/path-policy: 'encodedSlash=keep,mergeSlashes=false'}}",
    );
    let resolution = Controller::default().resolve(&resources(&[&annotated]));
    let expected = PathPolicy {
        encoded_slash: EncodedSlash::Keep,
        merge_slashes: false,
    };
    assert_eq!(policy(&resolution, "gw"), expected);
    let plain = Controller::default().resolve(&resources(&[GATEWAY]));
    assert_eq!(policy(&plain, "gw"), PathPolicy::default());
}

#[test]
fn of_gateways_on_one_address_the_strictest_path_policy_holds() {
    let named = |name: &str, port: u16, policy: &str| {
        GATEWAY
            .replace("name: gw", &format!("name: {name}"))
            .replace("port: 80", &format!("port: {port}"))
            .replace(
                "namespace: app}",
                &format!("namespace: app, annotations: {{gatepost.dev/path-policy: '{policy}'}}}}"),
            )
    };
    let one = named("one", 80, "encodedSlash=keep,mergeSlashes=false");
    let two = named("two", 81, "encodedSlash=decode,mergeSlashes=true");
    let resolution = Controller::default().resolve(&resources(&[&one, &two]));
    let expected = PathPolicy {
        encoded_slash: EncodedSlash::Keep,
        merge_slashes: true,
    };
    assert_eq!(policy(&resolution, "one"), expected);
    assert_eq!(policy(&resolution, "two"), expected);
}

#[test]
fn an_object_of_a_file_without_namespace_is_in_default() {
    let resources = resources(&[&SERVICE.replace(", namespace: app", "")]);
    let service = ObjectKey::new(Kind::Service, "default", "s");
    assert!(resources.get(&service).is_some());
}

#[test]
fn a_class_gatepost_exists_unless_the_files_define_it() {
    let route = "
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: r, namespace: app}
spec: {parentRefs: [{name: gw}], rules: [{backendRefs: [{name: s, port: 80}]}]}
";
    let implied = Table::new(&resources(&[GATEWAY, SERVICE, route]));
    assert!(matches!(
        implied.answer(&ask("/")),
        Outcome::Forwarded { .. }
    ));
    let class = "
apiVersion: gateway.networking.k8s.io/v1
kind: GatewayClass
metadata: {name: gatepost}
spec: {controllerName: example.com/other}
";
    let resolution = Controller::default().resolve(&resources(&[GATEWAY, SERVICE, route, class]));
    assert!(
        resolution
            .table(&NamespacedName::new("app", "gw"))
            .is_none()
    );
}

#[test]
fn gateways_without_addresses_share_one_and_the_earlier_keeps_it() {
    let named = |name: &str, second: u8| {
        GATEWAY.replace(
            "name: gw, namespace: app",
            &format!(
                "name: {name}, namespace: app, creationTimestamp: '2026-01-01T00:00:0{second}Z'"
            ),
        )
    };
    let resources = resources(&[&named("a-later", 2), &named("earlier", 1)]);
    let resolution = Controller::default().resolve(&resources);
    let conflicted = |name: &str| {
        let key = ObjectKey::new(Kind::Gateway, "app", name);
        let status = status(&resources, &resolution, &key);
        let conditions = &status["listeners"][0]["conditions"];
        conditions.as_array().is_some_and(|all| {
            all.iter()
                .any(|one| one["type"] == "Conflicted" && one["status"] == "True")
        })
    };
    assert!(conflicted("a-later"), "the later Gateway gets the conflict");
    assert!(!conflicted("earlier"), "the earlier Gateway keeps the port");
}

/// Features that upstream names without a test of its own, and that are not claimed until one of ours holds them.
const UNTESTED: [&str; 4] = [
    "ClusterTrustBundle",
    "GatewayAddressRoutability",
    "GatewayAddressRoutabilityCluster",
    "GatewayListenerFilters",
];

#[test]
fn features_that_nothing_tests_are_not_claimed() {
    for feature in UNTESTED {
        assert!(!SUPPORTED_FEATURES.contains(&feature), "{feature}");
    }
}

#[test]
fn crds_of_the_standard_channel_have_no_experimental_features() {
    let experimental = "HTTPRouteDestinationPortMatching";
    let standard: Vec<&str> = supported_features(Channel::Standard).collect();
    assert!(standard.contains(&"HTTPRoute") && !standard.contains(&experimental));
    assert!(supported_features(Channel::Experimental).any(|feature| feature == experimental));
}

/// Over generated tables: a rewrite of the prefix by itself is the identity, and none
/// yields `//`.
#[test]
fn rewrites_keep_paths_canonical() {
    let route = |prefix: &str, replacement: &str| {
        http_route(&format!(
            "  - matches: [{{path: {{value: '{prefix}'}}}}]
    filters: [{{type: URLRewrite, urlRewrite: {{path: {{type: ReplacePrefixMatch, replacePrefixMatch: '{replacement}'}}}}}}]
    backendRefs: [{{name: s, port: 80}}]
"
        ))
    };
    let values = ["/", "/a", "/a/", "/a/b", "/a/b/", "/%C3%A9", "", "a"];
    let rests = ["", "/", "/x", "//x", "/x/../y/", "/./", "/%2e%2e", "/%41//"];
    let mut forwarded = 0;
    for prefix in values.iter().filter(|value| value.starts_with('/')) {
        for replacement in values {
            let resources = resources(&[GATEWAY, SERVICE, &route(prefix, replacement)]);
            let (table, model) = (Table::new(&resources), Model::new(&resources));
            for rest in rests {
                let asked = ask(&format!("{}{rest}", prefix.trim_end_matches('/')));
                let asked = if asked.target.is_empty() {
                    ask("/")
                } else {
                    asked
                };
                let (one, two) = (table.answer(&asked), model.answer(&asked));
                assert_eq!(one, two, "{prefix} by {replacement}: {asked:?}");
                let Outcome::Forwarded { target, .. } = one else {
                    continue;
                };
                forwarded += 1;
                assert!(
                    target.starts_with('/') && !target.contains("//"),
                    "{target}"
                );
                if *prefix == replacement {
                    let plain = Table::new(&self::resources(&[GATEWAY, SERVICE, &plain(prefix)]));
                    let Outcome::Forwarded { target: same, .. } = plain.answer(&asked) else {
                        panic!("{asked:?} is served without the rewrite, too");
                    };
                    assert_eq!(target, same, "{prefix} by itself");
                }
            }
        }
    }
    assert!(forwarded > 100, "only {forwarded} were forwarded");
}

fn plain(prefix: &str) -> String {
    format!(
        "
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {{name: r, namespace: app}}
spec:
  parentRefs: [{{name: gw}}]
  rules: [{{matches: [{{path: {{value: '{prefix}'}}}}], backendRefs: [{{name: s, port: 80}}]}}]
"
    )
}
