//! Properties of docs/architecture.md over generated tables. The seeds are fixed and stand in the messages.

use std::collections::BTreeMap;
use std::sync::Arc;

use gatepost::controller::Controller;
use gatepost::key::{Kind, ObjectKey};
use gatepost::resources::{Resource, Resources};
use gatepost::status::Facts;
use gatepost::timestamp::Timestamp;
use gatepost_conformance::generate::Generator;
use gatepost_conformance::request::Outcome;
use gatepost_conformance::subject::{Model, Subject, Table};
use serde_json::json;

const NOW: Timestamp = Timestamp::from_unix_seconds(1_800_000_000);

/// The table is the model, for the outcome and the rule chosen.
#[test]
fn table_and_model_agree() {
    let mut generator = Generator::new(42);
    let (mut pairs, mut hits) = (0, 0);
    let mut classes: BTreeMap<&str, u32> = BTreeMap::new();
    while pairs < 20_000 {
        let objects = generator.objects();
        let resources = Generator::resources(&objects);
        let (table, model) = (Table::new(&resources), Model::new(&resources));
        for _ in 0..50 {
            let request = generator.request(&objects);
            let (from_table, from_model) = (table.answer(&request), model.answer(&request));
            assert_eq!(from_table, from_model, "seed 42, pair {pairs}: {request:?}");
            *classes.entry(from_table.class()).or_default() += 1;
            hits += u32::from(matches!(
                from_table,
                Outcome::Answered { .. } | Outcome::Forwarded { .. } | Outcome::Connected { .. }
            ));
            pairs += 1;
        }
    }
    println!("{pairs} pairs, {hits} hits, {classes:?}");
    assert!(hits * 2 >= pairs, "only {hits} of {pairs} pairs hit");
    let all = [
        "400",
        "404",
        "421",
        "500",
        "501",
        "closed",
        "connected",
        "forward",
        "preflight",
        "redirect",
        "secured",
    ];
    for class in all {
        let count = classes.get(class).copied().unwrap_or(0);
        assert!(
            count * 50 >= pairs,
            "class {class} has {count} of {pairs} pairs"
        );
    }
}

/// The order in which objects come in does not matter.
#[test]
fn permutations_resolve_alike() {
    for seed in 0..60 {
        let mut generator = Generator::new(seed);
        let mut objects = generator.objects();
        let forward = Generator::resources(&objects);
        let statuses = |resources: &Resources| {
            let statuses = Controller::default()
                .resolve(resources)
                .statuses(&Facts::ideal());
            statuses.changes(resources, NOW)
        };
        objects.reverse();
        let middle = objects.len() / 2;
        objects.swap(0, middle);
        let backward = Generator::resources(&objects);
        assert_eq!(statuses(&forward), statuses(&backward), "seed {seed}");
        let (one, two) = (Table::new(&forward), Table::new(&backward));
        for _ in 0..50 {
            let request = generator.request(&objects);
            assert_eq!(
                one.answer(&request),
                two.answer(&request),
                "seed {seed}: {request:?}"
            );
        }
    }
}

/// A route on an unrelated host changes nothing else.
#[test]
fn an_unrelated_route_changes_nothing() {
    for seed in 100..160 {
        let mut generator = Generator::new(seed);
        let objects = generator.objects();
        let mut more = objects.clone();
        more.push(json!({
            "apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute",
            "metadata": {"name": "stranger", "namespace": "n", "creationTimestamp": "2020-01-01T00:00:00Z"},
            "spec": {"parentRefs": [{"name": "gw"}], "hostnames": ["unrelated.example"], "rules": [{"backendRefs": [{"name": "s", "port": 80}]}]},
        }));
        let (before, after) = (
            Table::new(&Generator::resources(&objects)),
            Table::new(&Generator::resources(&more)),
        );
        for _ in 0..50 {
            let request = generator.request(&objects);
            assert_eq!(
                before.answer(&request),
                after.answer(&request),
                "seed {seed}: {request:?}"
            );
        }
    }
}

/// Without the winner, the model's runner-up serves.
#[test]
fn the_runner_up_takes_over() {
    let mut checked = 0;
    for seed in 200..320 {
        let mut generator = Generator::new(seed);
        let objects = generator.objects();
        let table = Table::new(&Generator::resources(&objects));
        for _ in 0..20 {
            let request = generator.request(&objects);
            let (Outcome::Forwarded { rule, .. } | Outcome::Answered { rule, .. }) =
                table.answer(&request)
            else {
                continue;
            };
            let rest: Vec<_> = objects
                .iter()
                .filter(|object| {
                    let text =
                        |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
                    let metadata = &object["metadata"];
                    format!(
                        "{}/{}/{}",
                        text(&object["kind"]),
                        text(&metadata["namespace"]),
                        text(&metadata["name"])
                    ) != rule.route
                })
                .cloned()
                .collect();
            assert_eq!(rest.len() + 1, objects.len());
            let resources = Generator::resources(&rest);
            assert_eq!(
                Table::new(&resources).answer(&request),
                Model::new(&resources).answer(&request),
                "seed {seed}: {request:?}"
            );
            checked += 1;
        }
    }
    assert!(checked > 500, "only {checked} requests had a winner");
}

/// Our own statuses, written back, change nothing.
#[test]
fn statuses_written_back_change_nothing() {
    for seed in 400..440 {
        let objects = Generator::new(seed).objects();
        let mut resources = Generator::resources(&objects);
        let controller = Controller::default();
        let changes = controller
            .resolve(&resources)
            .statuses(&Facts::ideal())
            .changes(&resources, NOW);
        assert!(!changes.is_empty());
        for (key, status) in changes {
            let mut whole = resources.get(&key).expect("the object").to_json();
            whole["status"] = status;
            resources.insert(Arc::new(Resource::from_json(whole).expect("an object")));
        }
        let later = Timestamp::from_unix_seconds(1_900_000_000);
        let again = controller
            .resolve(&resources)
            .statuses(&Facts::ideal())
            .changes(&resources, later);
        assert!(again.is_empty(), "seed {seed}: {again:?}");
    }
}

/// Property 6: `attachedRoutes` is the number of routes accepted on the listener.
#[test]
fn attached_routes_are_counted() {
    for seed in 500..560 {
        let objects = Generator::new(seed).objects();
        let resources = Generator::resources(&objects);
        let resolution = Controller::default().resolve(&resources);
        let statuses = resolution.statuses(&Facts::ideal());
        let gateway = ObjectKey::new(Kind::Gateway, "n", "gw");
        let status = statuses
            .status(&gateway, &resources, NOW)
            .expect("the Gateway's status");
        for listener in status["listeners"].as_array().expect("listeners") {
            let name = listener["name"].as_str().expect("a name");
            let table = resolution
                .planes()
                .iter()
                .flat_map(|plane| plane.table.listeners());
            let attached = table
                .filter(|own| *own.name == *name)
                .map(|own| own.routes.len())
                .sum::<usize>();
            assert_eq!(
                listener["attachedRoutes"],
                json!(attached),
                "seed {seed}, listener {name}"
            );
        }
    }
}
