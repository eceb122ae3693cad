//! The schemas of `gatepost::validate` against the CRDs of the upstream module, field by field.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use gatepost::key::{Channel, Kind};
use gatepost::validate::open_api;
use gatepost_conformance::upstream;
use serde_json::{Map, Value};

/// What two schemas say differently, by path.
#[derive(Default)]
struct Comparison {
    fields: usize,
    words: usize,
    rules: usize,
    differences: Vec<String>,
}

/// Words of a schema that say nothing about values.
const PROSE: &[&str] = &["description"];

impl Comparison {
    fn compare(&mut self, path: &str, theirs: &Value, ours: &Value) {
        self.fields += 1;
        let (theirs, ours) = (words(theirs), words(ours));
        let names: BTreeSet<&String> = theirs.keys().chain(ours.keys()).collect();
        for name in names {
            let (their, our) = (theirs.get(name), ours.get(name));
            match (name.as_str(), their, our) {
                ("properties", Some(Value::Object(their)), Some(Value::Object(our))) => {
                    let fields: BTreeSet<&String> = their.keys().chain(our.keys()).collect();
                    for field in fields {
                        let path = format!("{path}.{field}");
                        match (their.get(field), our.get(field)) {
                            (Some(their), Some(our)) => self.compare(&path, their, our),
                            (their, _) => self.differences.push(format!(
                                "{path}: {}",
                                if their.is_some() {
                                    "missing here"
                                } else {
                                    "not in the CRD"
                                }
                            )),
                        }
                    }
                }
                ("items" | "additionalProperties", Some(their), Some(our)) => {
                    self.compare(&format!("{path}[]"), their, our);
                }
                (_, their, our) => {
                    self.words += 1;
                    if name == "x-kubernetes-validations" {
                        self.rules += their.and_then(Value::as_array).map_or(0, Vec::len);
                    }
                    if their != our {
                        let show = |value: Option<&Value>| {
                            value.map_or_else(|| "nothing".to_owned(), Value::to_string)
                        };
                        self.differences.push(format!(
                            "{path}: {name} is {} in the CRD, {} here",
                            show(their),
                            show(our)
                        ));
                    }
                }
            }
        }
    }
}

/// The words of a schema in one form: lists whose order means nothing are sorted, rules are their messages.
fn words(schema: &Value) -> Map<String, Value> {
    let mut words = schema.as_object().cloned().unwrap_or_default();
    words.retain(|name, value| {
        let nothing = name == "minLength" && value == 0;
        !PROSE.contains(&name.as_str()) && !nothing
    });
    for name in ["required", "enum", "x-kubernetes-validations"] {
        if let Some(Value::Array(values)) = words.get_mut(name) {
            for value in values
                .iter_mut()
                .filter(|_| name == "x-kubernetes-validations")
            {
                *value = value["message"].clone();
            }
            values.sort_by_key(Value::to_string);
        }
    }
    words
}

#[test]
fn schemas_are_those_of_the_crds() {
    let module = upstream::module().expect("the module of Gateway API");
    let mut all = Comparison::default();
    let mut versions = BTreeSet::new();
    for channel in [Channel::Standard, Channel::Experimental] {
        for crd in upstream::crds(&module, channel).expect("the CRDs") {
            let name = format!("{channel:?} {}/{}", crd.kind, crd.version);
            let ours = Kind::from_group_kind(&crd.group, &crd.kind)
                .and_then(|kind| open_api(kind, &crd.version, channel));
            match ours {
                Some(ours) => all.compare(&name, &crd.schema, &ours),
                None => all.differences.push(format!("{name}: missing here")),
            }
            versions.insert((channel, crd.kind, crd.version));
        }
        for kind in Kind::all() {
            for version in kind
                .versions(channel)
                .filter(|version| open_api(kind, version, channel).is_some())
            {
                if !versions.contains(&(channel, kind.as_str().to_owned(), version.to_owned())) {
                    all.differences
                        .push(format!("{channel:?} {kind}/{version}: not in the CRDs"));
                }
            }
        }
    }
    println!(
        "{} versions, {} values with {} words, {} rules: {} differences",
        versions.len(),
        all.fields,
        all.words,
        all.rules,
        all.differences.len()
    );
    assert!(
        versions.len() > 30 && all.rules > 500,
        "too little was compared"
    );
    assert!(all.differences.is_empty(), "{}", all.differences.join("\n"));
}

/// The functions of the rules were written from these expressions; when one changes, its function has to be read again.
#[test]
fn expressions_of_rules_are_those_that_were_read() {
    let module = upstream::module().expect("the module of Gateway API");
    let mut found: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for channel in [Channel::Standard, Channel::Experimental] {
        for crd in upstream::crds(&module, channel).expect("the CRDs") {
            collect(&crd.schema, &mut found);
        }
    }
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("rules.json");
    let text = fs::read_to_string(&file).unwrap_or_else(|_| "{}".to_owned());
    let read: BTreeMap<String, BTreeSet<String>> = serde_json::from_str(&text).expect("JSON");
    assert!(
        found == read,
        "the fingerprints in {} are not those of the CRDs, which are\n{}",
        file.display(),
        serde_json::to_string_pretty(&found).expect("JSON")
    );
}

fn collect(schema: &Value, found: &mut BTreeMap<String, BTreeSet<String>>) {
    match schema {
        Value::Object(words) => {
            for rule in words
                .get("x-kubernetes-validations")
                .and_then(Value::as_array)
                .into_iter()
                .flatten()
            {
                let text = |name: &str| rule[name].as_str().unwrap_or_default();
                let plain: String = text("rule").split_whitespace().collect();
                let more = rule.as_object().map_or(0, Map::len);
                assert_eq!(
                    more, 2,
                    "a rule with more than a message and an expression: {rule}"
                );
                found
                    .entry(text("message").to_owned())
                    .or_default()
                    .insert(fingerprint(&plain));
            }
            for value in words.values() {
                collect(value, found);
            }
        }
        Value::Array(values) => values.iter().for_each(|value| collect(value, found)),
        _ => {}
    }
}

/// FNV-1a, 64 bits.
fn fingerprint(text: &str) -> String {
    let step = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    format!("{:016x}", text.bytes().fold(0xcbf2_9ce4_8422_2325, step))
}
