//! Objects made from the schemas of CRDs: sound ones first, then bent in a few places.

use std::collections::BTreeMap;

use rand::RngExt;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use regex::Regex;
use serde_json::{Map, Value, json};

use super::aimed;
use crate::upstream::Crd;

/// Texts that keep one pattern or another, or come near it.
const TEXTS: &[&str] = &[
    "a",
    "b",
    "gw",
    "web",
    "app",
    "example.com",
    "a.example.com",
    "*.example.com",
    "*.*.example.com",
    "10.0.0.1",
    "::1",
    "::ffff:1.2.3.4",
    "fe80::1%eth0",
    "xIPAddressx",
    "IPAddress",
    "Hostname",
    "NamedAddress",
    "example.com/Kind",
    "A.example.com",
    "a..b",
    "-a",
    "a-",
    "a_b",
    "",
    " ",
    "HTTP",
    "HTTPS",
    "TLS",
    "TCP",
    "UDP",
    "Service",
    "Gateway",
    "Secret",
    "ConfigMap",
    "XBackend",
    "ClusterTrustBundle",
    "gateway.networking.k8s.io",
    "gateway.networking.x-k8s.io",
    "certificates.k8s.io",
    "apps",
    "x-test",
    "X-Test",
    "x test",
    "x:y",
    "a b",
    "a  b",
    "a\tb",
    "a\r\nb",
    "\u{e9}",
    "Kind-1",
    "1Kind",
    "/",
    "/a",
    "/a/",
    "//",
    "/a//b",
    "/a/./b",
    "/a/../b",
    "/a/..",
    "/a/.",
    "/a%2fb",
    "/a%2Fb",
    "/a%20b",
    "/a%zz",
    "/a#b",
    "/a b",
    "a/b",
    "https://a.example",
    "http://*.a.example:8080",
    "https://*",
    "*",
    "ftp://a",
    "https://a.example/p",
    "http://-a-.b_",
    "https://a:123456",
    "0s",
    "1s",
    "10s",
    "1h",
    "1h30m",
    "90m",
    "1h1s",
    "500ms",
    "999ms",
    "99999h",
    "100000h",
    "1m1",
    "1d",
    "1.5s",
    "-1s",
    "0",
    "1h1m1s1ms1ms",
    "System",
    "example.com/Name_1",
    "System2",
    "spiffe://a/b",
    "a://",
    "urn:a:b",
    "://a",
    "a.cluster.local",
    "cluster.local",
    "Cluster",
    "example.com/zone",
    "k8s.io/x",
    "a.k8s.io/x",
    "a/",
    "True",
    "Enabled",
    "foo.Bar",
    ".foo.Bar",
    "foo.1",
    "Get",
    "1Get",
    "Ge-t",
    "key",
    "value",
    "k8s.io/key",
    "Example.com/key",
    "example.com/key/more",
    "name.with_all-1",
    "tls-1",
    "default",
    "GET",
    "PATCH",
    "get",
    "gatepost.dev/controller",
    "gatepost.dev/",
    "Exact",
    "Selector",
    "All",
];

/// Makes objects of one version of a kind.
#[derive(Debug)]
pub struct Objects<'c> {
    crd: &'c Crd,
    seeds: &'c [Value],
    fitting: BTreeMap<String, (Vec<&'static str>, Vec<&'static str>)>,
}

impl<'c> Objects<'c> {
    /// Seeds are objects of the kind that are bent as well.
    pub fn new(crd: &'c Crd, seeds: &'c [Value]) -> Objects<'c> {
        let mut fitting = BTreeMap::new();
        patterns(&crd.schema, &mut fitting);
        Objects {
            crd,
            seeds,
            fitting,
        }
    }

    /// An object of its own.
    pub fn make(&self, rng: &mut StdRng) -> Value {
        let mut object = match self.seeds.choose(rng) {
            Some(seed) if rng.random_bool(0.4) => seed.clone(),
            _ => self.sound(&self.crd.schema, rng, 0),
        };
        self.identify(&mut object);
        if rng.random_bool(0.25) {
            self.aim(&mut object, rng);
            if rng.random_bool(0.7) {
                return object;
            }
        }
        self.bend(&mut object, rng);
        object
    }

    /// Aims at rules in a few places, see [`aimed`].
    fn aim(&self, object: &mut Value, rng: &mut StdRng) {
        for _ in 0..rng.random_range(1..4) {
            let mut places = Vec::new();
            let spec = &self.crd.schema["properties"]["spec"];
            collect(spec, &object["spec"], "/spec", &mut places);
            for (pointer, schema) in places {
                // Most rules of the CRDs bind the rules of routes.
                let chance = if pointer.ends_with("/rules/0") {
                    0.7
                } else {
                    0.2
                };
                if rng.random_bool(chance)
                    && let Some(value) = object.pointer_mut(&pointer)
                {
                    aimed::aim(&pointer, schema, value, rng);
                }
            }
        }
    }

    /// A new state of an object that is there.
    pub fn change(&self, object: &Value, rng: &mut StdRng) -> Value {
        let mut object = object.clone();
        if rng.random_bool(0.4) {
            self.aim(&mut object, rng);
        } else {
            self.bend(&mut object, rng);
        }
        object
    }

    fn identify(&self, object: &mut Value) {
        let version = format!("{}/{}", self.crd.group, self.crd.version);
        object["apiVersion"] = json!(version);
        object["kind"] = json!(self.crd.kind);
        object["metadata"] = json!({"name": "object"});
        if self.crd.namespaced {
            object["metadata"]["namespace"] = json!("default");
        }
    }

    fn sound(&self, schema: &Value, rng: &mut StdRng, depth: u32) -> Value {
        let bound = |name: &str| schema[name].as_i64();
        match schema["type"].as_str().unwrap_or_default() {
            "boolean" => json!(rng.random_bool(0.5)),
            "integer" => {
                if let Some(value) = schema["enum"]
                    .as_array()
                    .and_then(|values| values.choose(rng))
                {
                    return value.clone();
                }
                let least = bound("minimum").unwrap_or(0);
                let most = bound("maximum")
                    .unwrap_or(1_000)
                    .min(least.saturating_add(120));
                json!(rng.random_range(least..=most))
            }
            "array" => {
                let least = bound("minItems").unwrap_or(0);
                let most = bound("maxItems").unwrap_or(3).min(3).max(least);
                let mut items: Vec<Value> = Vec::new();
                for _ in 0..rng.random_range(least..=most) {
                    let item = self.sound(&schema["items"], rng, depth + 1);
                    if !items.contains(&item) {
                        items.push(item);
                    }
                }
                Value::Array(items)
            }
            "object" => self.sound_object(schema, rng, depth),
            _ => self.sound_text(schema, rng),
        }
    }

    fn sound_object(&self, schema: &Value, rng: &mut StdRng, depth: u32) -> Value {
        let mut object = Map::new();
        if let Some(values) = schema.get("additionalProperties") {
            for _ in 0..rng.random_range(1..3) {
                let key = *["key", "example.com/key", "name.with_all-1"]
                    .choose(rng)
                    .unwrap_or(&"key");
                object.insert(key.to_owned(), self.sound(values, rng, depth + 1));
            }
            return Value::Object(object);
        }
        let Some(fields) = schema["properties"].as_object() else {
            return Value::Object(object);
        };
        let required = |name: &String| {
            schema["required"]
                .as_array()
                .is_some_and(|names| names.contains(&json!(name)))
        };
        // A field whose values are named like fields beside it chooses among them.
        let mut chosen: BTreeMap<&str, bool> = BTreeMap::new();
        for (name, field) in fields {
            let values = field["enum"]
                .as_array()
                .into_iter()
                .flatten()
                .filter_map(Value::as_str);
            let members: Vec<(&str, &String)> = values
                .filter_map(|value| {
                    Some((
                        value,
                        fields
                            .keys()
                            .find(|field| field.eq_ignore_ascii_case(value))?,
                    ))
                })
                .collect();
            if let Some((value, member)) = members.choose(rng) {
                object.insert(name.clone(), json!(value));
                chosen.extend(
                    members
                        .iter()
                        .map(|(_, other)| (other.as_str(), other == member)),
                );
            }
        }
        for (name, field) in fields {
            let wanted = match chosen.get(name.as_str()) {
                Some(&chosen) => chosen,
                None => required(name) || rng.random_bool(0.85 / f64::from(depth + 1)),
            };
            let skipped = depth == 0 && name != "spec";
            if wanted && !skipped && !object.contains_key(name) {
                object.insert(name.clone(), self.sound(field, rng, depth + 1));
            }
        }
        Value::Object(object)
    }

    fn sound_text(&self, schema: &Value, rng: &mut StdRng) -> Value {
        if let Some(value) = schema["enum"]
            .as_array()
            .and_then(|values| values.choose(rng))
        {
            return value.clone();
        }
        let fits =
            |text: &&&str| !text.is_empty() || schema["minLength"].as_u64().unwrap_or(0) == 0;
        let pool = match schema["pattern"]
            .as_str()
            .and_then(|pattern| self.fitting.get(pattern))
        {
            Some((good, _)) => good.as_slice(),
            None => &[
                "/", "/a", "/a/b", "a", "b", "Get", "foo.Bar", "web", "x-test",
            ],
        };
        let pool: Vec<&&str> = pool.iter().filter(fits).collect();
        json!(pool.choose(rng).map_or("a", |text| **text))
    }

    fn bend(&self, object: &mut Value, rng: &mut StdRng) {
        let times = *[0, 1, 1, 1, 2, 2, 3].choose(rng).unwrap_or(&1);
        for _ in 0..times {
            if rng.random_bool(0.06) {
                bend_metadata(&mut object["metadata"], rng);
                continue;
            }
            let mut places = Vec::new();
            collect(
                &self.crd.schema["properties"]["spec"],
                &object["spec"],
                "/spec",
                &mut places,
            );
            let Some((pointer, schema)) = places.choose(rng) else {
                continue;
            };
            let donors: Vec<String> = places
                .iter()
                .filter(|(_, other)| other == schema)
                .map(|(pointer, _)| pointer.clone())
                .collect();
            let donor = donors
                .choose(rng)
                .and_then(|pointer| object.pointer(pointer))
                .cloned();
            if rng.random_bool(0.08) {
                remove(object, pointer);
            } else if let Some(value) = object.pointer_mut(pointer) {
                self.bend_value(schema, value, donor.unwrap_or_default(), rng);
            }
        }
    }

    fn bend_value(&self, schema: &Value, value: &mut Value, donor: Value, rng: &mut StdRng) {
        match rng.random_range(0..20) {
            0 => *value = odd(rng),
            1 => *value = self.sound(schema, rng, 1),
            2 => *value = donor,
            _ => match value {
                Value::Array(items) => self.bend_list(schema, items, rng),
                Value::Object(fields) => self.bend_object(schema, fields, rng),
                Value::String(_) => *value = json!(self.bent_text(schema, rng)),
                Value::Number(_) => {
                    let bound = |name: &str| schema[name].as_i64();
                    let (least, most) = (
                        bound("minimum").unwrap_or(0),
                        bound("maximum").unwrap_or(2_147_483_647),
                    );
                    let numbers = [
                        least,
                        most,
                        least - 1,
                        most.saturating_add(1),
                        0,
                        -1,
                        80,
                        443,
                        306,
                        1 << 40,
                        i64::MAX,
                    ];
                    *value = json!(numbers.choose(rng));
                }
                _ => *value = odd(rng),
            },
        }
    }

    fn bend_list(&self, schema: &Value, items: &mut Vec<Value>, rng: &mut StdRng) {
        let most = schema["maxItems"].as_u64().unwrap_or(16).min(1_025);
        match rng.random_range(0..8) {
            0 => items.clear(),
            1 | 2 => items.push(self.sound(&schema["items"], rng, 1)),
            3 => items.push(odd(rng)),
            4 if !items.is_empty() => {
                let length = usize::try_from(rng.random_range(most / 2..=most + 1)).unwrap_or(1);
                let item = items[0].clone();
                while items.len() < length {
                    items.push(item.clone());
                }
            }
            _ => {
                // The same item again, perhaps with one field that differs.
                let Some(mut item) = items.choose(rng).cloned() else {
                    items.push(self.sound(&schema["items"], rng, 1));
                    return;
                };
                if let Some(fields) = item.as_object_mut().filter(|_| rng.random_bool(0.6)) {
                    self.bend_object(&schema["items"], fields, rng);
                }
                items.push(item);
            }
        }
    }

    fn bend_object(&self, schema: &Value, fields: &mut Map<String, Value>, rng: &mut StdRng) {
        if let Some(values) = schema.get("additionalProperties") {
            let key = if rng.random_bool(0.15) {
                "k".repeat(*[63, 64, 252, 253, 254].choose(rng).unwrap_or(&63))
            } else {
                (*TEXTS.choose(rng).unwrap_or(&"k")).to_owned()
            };
            let value = if rng.random_bool(0.1) {
                odd(rng)
            } else {
                json!(self.bent_text(values, rng))
            };
            fields.insert(key, value);
            if rng.random_bool(0.05) {
                for number in 0..70 {
                    fields.insert(format!("k{number}"), json!("v"));
                }
            }
            return;
        }
        let known: Vec<(&String, &Value)> = schema["properties"]
            .as_object()
            .into_iter()
            .flatten()
            .collect();
        match (rng.random_range(0..12), known.choose(rng)) {
            (0, _) | (_, None) => {
                fields.insert("unheard".to_owned(), json!(1));
            }
            (1, _) => fields.clear(),
            (2 | 3, Some((name, _))) => {
                fields.remove(*name);
            }
            (_, Some((name, schema))) => {
                let value = if rng.random_bool(0.1) {
                    odd(rng)
                } else {
                    self.sound(schema, rng, 1)
                };
                fields.insert((*name).clone(), value);
            }
        }
    }

    fn bent_text(&self, schema: &Value, rng: &mut StdRng) -> String {
        let most = usize::try_from(schema["maxLength"].as_u64().unwrap_or(64)).unwrap_or(64);
        let free = schema.get("pattern").is_none() && schema.get("enum").is_none();
        if free && rng.random_bool(0.4) {
            let paths: Vec<&&str> = TEXTS.iter().filter(|text| text.starts_with('/')).collect();
            return paths.choose(rng).map_or("/", |text| **text).to_owned();
        }
        match rng.random_range(0..10) {
            0 => "a".repeat(most),
            1 => "a".repeat(most + 1),
            2 => "\u{e9}".repeat(most.min(300)),
            3 => String::new(),
            4..=6 => {
                let bad = schema["pattern"]
                    .as_str()
                    .and_then(|pattern| self.fitting.get(pattern));
                let bad = bad
                    .and_then(|(_, bad)| bad.choose(rng))
                    .or_else(|| TEXTS.choose(rng));
                (*bad.unwrap_or(&"a")).to_owned()
            }
            _ => {
                let value = schema["enum"]
                    .as_array()
                    .and_then(|values| values.choose(rng))
                    .and_then(Value::as_str);
                value
                    .or_else(|| TEXTS.choose(rng).copied())
                    .unwrap_or("a")
                    .to_owned()
            }
        }
    }
}

fn odd(rng: &mut StdRng) -> Value {
    let values = [
        json!(null),
        json!(true),
        json!(0),
        json!(-7),
        json!(1.5),
        json!("80"),
        json!([]),
        json!({}),
        json!([null]),
        json!([{}]),
        json!(1e300),
    ];
    values.choose(rng).cloned().unwrap_or_default()
}

fn bend_metadata(metadata: &mut Value, rng: &mut StdRng) {
    let text = *TEXTS.choose(rng).unwrap_or(&"a");
    let value = match rng.random_range(0..4) {
        0 => odd(rng),
        1 => json!("v".repeat(64)),
        _ => json!(TEXTS.choose(rng)),
    };
    match rng.random_range(0..6) {
        0 => metadata["name"] = json!(text),
        1 => metadata["name"] = json!("n".repeat(rng.random_range(250..256))),
        2 => metadata["labels"] = json!({text: value}),
        3 => metadata["annotations"] = json!({text: value}),
        4 => metadata["unheard"] = json!(1),
        _ => metadata["labels"] = odd(rng),
    }
}

fn remove(object: &mut Value, pointer: &str) {
    let Some((parent, name)) = pointer.rsplit_once('/') else {
        return;
    };
    match object.pointer_mut(parent) {
        Some(Value::Object(fields)) => {
            fields.remove(name);
        }
        Some(Value::Array(items)) => {
            if let Some(index) = name.parse().ok().filter(|index| *index < items.len()) {
                items.remove(index);
            }
        }
        _ => {}
    }
}

/// The values of an object that a schema knows, with their places.
fn collect<'s>(
    schema: &'s Value,
    value: &Value,
    pointer: &str,
    places: &mut Vec<(String, &'s Value)>,
) {
    places.push((pointer.to_owned(), schema));
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                if let Some(schema) = schema["properties"].get(name) {
                    collect(schema, value, &format!("{pointer}/{name}"), places);
                }
            }
        }
        Value::Array(items) => {
            for (index, value) in items.iter().enumerate() {
                if let Some(schema) = schema.get("items") {
                    collect(schema, value, &format!("{pointer}/{index}"), places);
                }
            }
        }
        _ => {}
    }
}

fn patterns(schema: &Value, out: &mut BTreeMap<String, (Vec<&'static str>, Vec<&'static str>)>) {
    match schema {
        Value::Object(words) => {
            if let Some(pattern) = words.get("pattern").and_then(Value::as_str)
                && !out.contains_key(pattern)
                && let Ok(expression) = Regex::new(pattern)
            {
                let (good, bad) = TEXTS.iter().partition(|text| expression.is_match(text));
                out.insert(pattern.to_owned(), (good, bad));
            }
            words.values().for_each(|schema| patterns(schema, out));
        }
        Value::Array(schemas) => schemas.iter().for_each(|schema| patterns(schema, out)),
        _ => {}
    }
}
