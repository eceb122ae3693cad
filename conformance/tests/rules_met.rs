//! Every validation rule of the CRDs was kept and broken before a real API server, or says which line of the schema hides it.
//!
//! `apiserver/standard.tsv` and `apiserver/experimental.tsv` are what runs of the `apiserver` binary counted.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use gatepost::key::Channel;
use gatepost_conformance::apiserver::coverage::{Coverage, schemas_with};
use gatepost_conformance::upstream;
use serde::Deserialize;
use serde_json::Value;

#[derive(Deserialize)]
struct Shadowed {
    rule: Vec<Rule>,
}

/// A rule that nothing can break.
#[derive(Deserialize)]
struct Rule {
    message: String,
    /// A pointer to the word of the schema that stands before it.
    by: String,
    /// What that word says.
    says: Value,
}

#[test]
fn every_rule_was_met_from_both_sides() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("apiserver");
    let read = |name: &str| fs::read_to_string(folder.join(name)).expect("a file of the folder");
    let shadowed: Shadowed = toml::from_str(&read("shadowed.toml")).expect("the form of the file");
    let module = upstream::module().expect("the module of Gateway API");
    for (channel, file) in [
        (Channel::Standard, "standard.tsv"),
        (Channel::Experimental, "experimental.tsv"),
    ] {
        let crds = upstream::crds(&module, channel).expect("the CRDs");
        let mut declared = Coverage::default();
        let mut hidden = BTreeSet::new();
        for crd in &crds {
            declared.declare(crd);
            for rule in &shadowed.rule {
                for (name, schema) in schemas_with(crd, &rule.message) {
                    assert_eq!(schema.pointer(&rule.by), Some(&rule.says), "{name}");
                    hidden.insert(name);
                }
            }
        }
        assert!(
            declared.0.len() > 250,
            "too few rules: {}",
            declared.0.len()
        );
        let met = Coverage::from_lines(&read(file));
        let names = |coverage: &Coverage| coverage.0.keys().cloned().collect::<BTreeSet<_>>();
        assert_eq!(names(&declared), names(&met), "{file} is of other CRDs");
        // The same rule stands at many places; each has to be met at one of them at least.
        let mut rules: BTreeMap<&str, (u64, u64)> = BTreeMap::new();
        for (name, (kept, broken)) in &met.0 {
            let (_, message) = name.split_once(": ").expect("a place and a message");
            let sum = rules.entry(message).or_default();
            *sum = (sum.0 + kept, sum.1 + broken);
        }
        let at_places = met
            .0
            .values()
            .filter(|(kept, broken)| *kept > 0 && *broken > 0);
        let at_places = at_places.count() + hidden.len();
        let wrong: Vec<String> = rules
            .iter()
            .filter(|(message, (kept, broken))| {
                let hidden = shadowed.rule.iter().any(|rule| rule.message == **message);
                *kept == 0 || (*broken == 0) != hidden
            })
            .map(|(message, (kept, broken))| format!("kept {kept}, broken {broken}: {message}"))
            .collect();
        println!(
            "{file}: {} rules, {} not met as they should be; {at_places} of {} places, {} of them hidden",
            rules.len(),
            wrong.len(),
            met.0.len(),
            hidden.len()
        );
        assert!(wrong.is_empty(), "{file}:\n{}", wrong.join("\n"));
    }
}
