//! Objects of every kind, generated and bent: resolution is total, does not depend on the order of objects, leaves alone
//! what it has written itself, and comes to the same whether changes come one by one or all at once.

use std::sync::Arc;

use gatepost::controller::{Controller, Resolver};
use gatepost::key::ObjectKey;
use gatepost::resources::{Change, Resource, Resources};
use gatepost::status::Facts;
use gatepost::timestamp::Timestamp;
use gatepost_conformance::entropy::Entropy;
use gatepost_conformance::generate::Generator;
use rand::RngExt;
use rand::seq::{IndexedRandom, SliceRandom};
use serde_json::Value;

use crate::bend::{bend, documents};

const NOW: Timestamp = Timestamp::from_unix_seconds(1_800_000_000);
const LATER: Timestamp = Timestamp::from_unix_seconds(1_900_000_000);

/// The claim; see the module.
///
/// # Panics
///
/// If it does not hold.
pub fn holds(bytes: &[u8]) {
    let mut generator = Generator::of(Entropy::from_bytes(bytes));
    let mut values = generator.objects();
    let entropy = generator.entropy();
    for _ in 0..entropy.random_range(0..6) {
        let mut value = documents()
            .choose(entropy)
            .expect("there are documents")
            .clone();
        // Half of them concern the objects of the generator.
        if entropy.random_bool(0.5) {
            value["metadata"]["namespace"] = "n".into();
        }
        values.push(value);
    }
    for _ in 0..entropy.random_range(0..8) {
        let at = entropy.random_range(0..values.len());
        bend(&mut values[at], entropy);
    }
    let objects: Vec<Arc<Resource>> = values.into_iter().filter_map(read).collect();
    let controller = Controller::default();
    let resources: Resources = objects.iter().cloned().collect();
    let statuses = outcome(&controller, &resources);
    in_any_order(&controller, &resources, &statuses, entropy);
    written_back(&controller, &resources, statuses.clone());
    change_by_change(&resources, &statuses, entropy);
}

fn read(value: Value) -> Option<Arc<Resource>> {
    Resource::from_json(value).ok().map(Arc::new)
}

fn outcome(controller: &Controller, resources: &Resources) -> Vec<(ObjectKey, Value)> {
    let statuses = controller.resolve(resources).statuses(&Facts::ideal());
    statuses.changes(resources, NOW)
}

fn in_any_order(
    controller: &Controller,
    resources: &Resources,
    statuses: &[(ObjectKey, Value)],
    entropy: &mut Entropy,
) {
    let mut shuffled: Vec<Arc<Resource>> = resources.iter().map(|(_, one)| one.clone()).collect();
    shuffled.shuffle(entropy);
    let shuffled: Resources = shuffled.into_iter().collect();
    assert_eq!(
        outcome(controller, &shuffled),
        statuses,
        "the order matters"
    );
}

fn written_back(controller: &Controller, resources: &Resources, statuses: Vec<(ObjectKey, Value)>) {
    let mut resources = resources.clone();
    for (key, status) in statuses {
        let mut whole = resources.get(&key).expect("the object").to_json();
        whole["status"] = status;
        let resource = Resource::from_json(whole).expect("our own status is readable");
        resources.insert(Arc::new(resource));
    }
    let again = controller
        .resolve(&resources)
        .statuses(&Facts::ideal())
        .changes(&resources, LATER);
    assert!(
        again.is_empty(),
        "written back it is changed again: {again:?}"
    );
}

fn change_by_change(resources: &Resources, statuses: &[(ObjectKey, Value)], entropy: &mut Entropy) {
    let mut resolver = Resolver::new(Controller::default());
    let mut order: Vec<Arc<Resource>> = resources.iter().map(|(_, one)| one.clone()).collect();
    order.shuffle(entropy);
    let (first, second) = order.split_at(order.len() / 2);
    resolver.apply(first.iter().cloned().map(Change::Put));
    // What is there goes and comes back, and comes back as something else in between.
    for one in first.iter().take(3) {
        resolver.apply([Change::Delete(one.key().clone())]);
        let mut bent = one.to_json();
        bend(&mut bent["spec"], entropy);
        if let Some(bent) = read(bent).filter(|bent| bent.key() == one.key()) {
            resolver.apply([Change::Put(bent)]);
        }
        resolver.apply([Change::Put(one.clone())]);
    }
    resolver.apply(second.iter().cloned().map(Change::Put));
    assert_eq!(resolver.resources(), resources);
    let found = resolver
        .resolution()
        .statuses(&Facts::ideal())
        .changes(resources, NOW);
    assert_eq!(found, statuses, "change by change it is something else");
}
