//! A table that follows changes is what is built afresh of the same input, but for numbers.

use std::collections::BTreeMap;
use std::sync::Arc;

use proptest::prelude::*;

use super::agree::{Sent, agrees, route, sent};
use super::gateway_listener;
use crate::hostname::Hostname;
use crate::key::ObjectKey;
use crate::rule::{Listener, Protocol, Route, Routes, Rule};
use crate::table::{RouteTable, RuleId, TableInput, TableSettings};

const LISTENERS: [Option<&str>; 4] = [None, Some("*.test"), Some("b.a.test"), Some("*.a.test")];

/// One step of a sequence.
#[derive(Clone, Debug)]
enum Step {
    /// A route comes, or becomes another, on some listeners.
    Put(u8, Route, u8),
    /// A route becomes another one with the same rules but for one.
    Rule(u8, u8, Route),
    /// A route goes.
    Remove(u8),
    /// A listener comes or goes.
    Listener(u8),
    /// All routes go.
    Clear,
}

fn step(crowded: bool) -> impl Strategy<Value = Step> {
    let which = 0_u8..if crowded { 24 } else { 10 };
    prop_oneof![
        8 => (which.clone(), route(crowded), any::<u8>()).prop_map(|(at, route, on)| Step::Put(at, route, on)),
        4 => (which.clone(), any::<u8>(), route(crowded)).prop_map(|(at, rule, with)| Step::Rule(at, rule, with)),
        3 => which.prop_map(Step::Remove),
        2 => (0_u8..4).prop_map(Step::Listener),
        1 => Just(Step::Clear),
    ]
}

/// What a sequence has come to.
#[derive(Default)]
struct World {
    routes: BTreeMap<u8, (Arc<Route>, u8)>,
    off: u8,
    listeners: BTreeMap<u8, Arc<Listener>>,
}

impl World {
    fn take(&mut self, step: Step) {
        let mut touched = Vec::new();
        match step {
            Step::Put(at, mut route, on) => {
                Arc::make_mut(&mut route.key).name = format!("r{at}");
                touched.extend(
                    self.routes
                        .insert(at, (Arc::new(route), on))
                        .map(|(route, _)| route),
                );
            }
            Step::Rule(at, rule, with) => {
                let Some((route, _)) = self.routes.get_mut(&at) else {
                    return;
                };
                let place = usize::from(rule) % route.rules.len();
                let mut new = Route::clone(route);
                if with.key.kind == new.key.kind {
                    new.rules[place] = Arc::new(Rule {
                        index: new.rules[place].index,
                        ..Rule::clone(&with.rules[0])
                    });
                }
                touched.push(std::mem::replace(route, Arc::new(new)));
            }
            Step::Remove(at) => touched.extend(self.routes.remove(&at).map(|(route, _)| route)),
            Step::Listener(at) => self.off ^= 1 << at,
            Step::Clear => self.routes.clear(),
        }
        for (number, name) in (0_u8..).zip(LISTENERS) {
            if self.off >> number & 1 == 1 {
                self.listeners.remove(&number);
                continue;
            }
            let mine = self.routes.values().filter(|(_, on)| on >> number & 1 == 0);
            let wanted: BTreeMap<&ObjectKey, &Arc<Route>> =
                mine.map(|(route, _)| (&*route.key, route)).collect();
            let mut routes = self
                .listeners
                .get(&number)
                .map_or_else(Routes::default, |known| known.routes.clone());
            let gone: Vec<ObjectKey> = routes
                .iter()
                .filter(|route| !wanted.contains_key(&*route.key))
                .map(|route| ObjectKey::clone(&route.key))
                .collect();
            gone.iter().for_each(|key| {
                routes.remove(key);
            });
            let mut changed = !gone.is_empty();
            for (key, route) in wanted {
                if !routes
                    .get(key)
                    .is_some_and(|known| Arc::ptr_eq(known, route))
                {
                    routes.insert(route.clone());
                    changed = true;
                }
            }
            if changed || !self.listeners.contains_key(&number) {
                let listener =
                    gateway_listener(&format!("l{number}"), name, Protocol::Http, Vec::new());
                self.listeners.insert(
                    number,
                    Arc::new(Listener {
                        routes,
                        ..Listener::clone(&listener)
                    }),
                );
            }
        }
    }

    fn input(&self, hash_key: [u64; 2]) -> TableInput {
        TableInput {
            listeners: self.listeners.values().cloned().collect(),
            settings: TableSettings {
                hash_key,
                ..TableSettings::default()
            },
        }
    }
}

/// The hosts of a table by listener and name, with what their bits say.
fn hosts(table: &RouteTable) -> BTreeMap<(String, Option<Hostname>), [u32; 4]> {
    let mut all = BTreeMap::new();
    for number in 0..table.host_numbers.end() {
        let (Some(host), Some(info)) = (table.hosts.get(number), table.host_infos.get(number))
        else {
            continue;
        };
        if let Some(listener) = table.listener_table(host.listener) {
            let bits = [host.exact, host.prefixes, host.heads, host.below];
            let known = all.insert(
                (listener.listener.name.to_string(), info.name.clone()),
                bits,
            );
            assert_eq!(known, None, "a host twice");
        }
    }
    all
}

fn rules(table: &RouteTable) -> Vec<(ObjectKey, u16)> {
    let mut all: Vec<_> = table
        .rules()
        .map(|(route, rule)| (route.clone(), rule.index))
        .collect();
    all.sort();
    all
}

fn follows(steps: Vec<Step>, sent: &[Sent], hash_key: [u64; 2]) -> Result<(), TestCaseError> {
    let mut world = World::default();
    let mut table = RouteTable::build(&world.input(hash_key));
    for step in steps {
        world.take(step);
        let input = world.input(hash_key);
        let before = table;
        table = before.update(&input);
        let fresh = RouteTable::build(&input);
        agrees(&table, &input, sent)?;
        prop_assert_eq!(hosts(&table), hosts(&fresh));
        prop_assert_eq!(rules(&table), rules(&fresh));
        prop_assert!(
            table
                .listeners()
                .iter()
                .zip(fresh.listeners())
                .all(|(a, b)| Arc::ptr_eq(a, b))
        );
        // Rules that are in both tables kept their numbers.
        let changed: Vec<RuleId> = table.changed_rules(&before).collect();
        for (number, rule) in (0..).zip(table.rules_by_number()) {
            let id = RuleId(number);
            let known = before.rule(id);
            let same =
                rule.map(|(_, rule)| rule as *const Rule) == known.map(|rule| rule as *const Rule);
            prop_assert_eq!(changed.contains(&id), !same);
        }
        let find = |table: &RouteTable, key: &ObjectKey, rule: &Rule| {
            let mut all = (0..).zip(table.rules_by_number());
            all.find(|(_, one)| one.is_some_and(|(own, one)| own == key && one == rule))
                .map(|(number, _)| number)
        };
        for (key, rule) in table.rules() {
            if let Some(number) = find(&before, key, rule) {
                prop_assert_eq!(find(&table, key, rule), Some::<u32>(number));
            }
        }
    }
    world.routes.clear();
    world.take(Step::Clear);
    let empty = table.update(&world.input(hash_key));
    prop_assert_eq!(empty.dictionary.keys, 0);
    prop_assert_eq!(empty.rules().count(), 0);
    prop_assert!(hosts(&empty).is_empty());
    let mut subjects = (0..empty.subject_numbers.end()).filter_map(|at| empty.subjects.get(at));
    prop_assert!(subjects.all(|subject| subject.filed.is_none()));
    Ok(())
}

/// How many sequences are tried: `PROPTEST_CASES`, 150 if that is not said.
fn sequences() -> ProptestConfig {
    let said = std::env::var("PROPTEST_CASES").ok();
    ProptestConfig {
        cases: said.and_then(|said| said.parse().ok()).unwrap_or(150),
        ..ProptestConfig::default()
    }
}

proptest! {
    #![proptest_config(sequences())]

    #[test]
    fn a_table_that_follows_changes_is_the_one_built_afresh(
        steps in any::<bool>().prop_flat_map(|crowded| prop::collection::vec(step(crowded), 1..20)),
        sent in prop::collection::vec(sent(), 20),
        hash_key: [u64; 2],
    ) {
        follows(steps, &sent, hash_key)?;
    }
}
