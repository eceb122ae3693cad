//! Objects with every field that there is, and ways to bend them.

use std::fs;
use std::path::Path;
use std::sync::OnceLock;

use gatepost::key::Kind;
use gatepost_conformance::entropy::Entropy;
use rand::RngExt;
use rand::seq::IndexedRandom;
use serde_json::{Map, Value, json};

/// Texts that some field means something by, or that some field refuses.
const TEXTS: [&str; 40] = [
    "",
    "a",
    "A",
    "gw",
    "n",
    "s",
    "*",
    "*.a.test",
    "a.test",
    "a..test",
    "1.2.3.4",
    "::1",
    "/",
    "/a",
    "/a/../b",
    "/a//b",
    "/%2f",
    "/%zz",
    "a/b",
    "x-a",
    "content-length",
    "GET",
    "PathPrefix",
    "Exact",
    "RegularExpression",
    "(",
    "[a-z]+",
    "10s",
    "1h1h",
    "99999h",
    "80",
    "443",
    "Same",
    "All",
    "Selector",
    "HTTPRoute",
    "Service",
    "gateway.networking.k8s.io",
    "line\nbreak",
    "ünï",
];

/// Documents of every kind, with every field of it.
pub(crate) fn documents() -> &'static [Value] {
    static READ: OnceLock<Vec<Value>> = OnceLock::new();
    READ.get_or_init(|| {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../core/tests/wire");
        let read = |kind: Kind| -> Vec<Value> {
            let path = folder.join(format!("{kind}.json"));
            let text = fs::read(path).expect("every kind has documents");
            serde_json::from_slice(&text).expect("a list of documents")
        };
        Kind::all().flat_map(read).collect()
    })
}

/// Changes one thing of a tree, somewhere.
pub(crate) fn bend(value: &mut Value, entropy: &mut Entropy) {
    match value {
        Value::Object(map) if !map.is_empty() => {
            let at = entropy.random_range(0..map.len());
            let key = map.keys().nth(at).cloned().unwrap_or_default();
            match entropy.random_range(0..8) {
                0 => {
                    map.remove(&key);
                }
                1 => bend_map(map, &key, entropy),
                _ => bend(&mut map[&key], entropy),
            }
        }
        Value::Array(items) if !items.is_empty() => {
            let at = entropy.random_range(0..items.len());
            match entropy.random_range(0..8) {
                0 => {
                    items.remove(at);
                }
                1 => items.push(items[at].clone()),
                2 => items.reverse(),
                _ => bend(&mut items[at], entropy),
            }
        }
        leaf => *leaf = other(leaf, entropy),
    }
}

fn bend_map(map: &mut Map<String, Value>, key: &str, entropy: &mut Entropy) {
    match entropy.random_range(0..4) {
        0 => map[key] = other(&map[key].clone(), entropy),
        1 => {
            let value = map[key].clone();
            map.insert(format!("{key}s"), value);
        }
        2 => {
            let name = text(entropy);
            map.insert(name, json!("x"));
        }
        _ => map[key] = Value::Null,
    }
}

/// Another value in the place of one, mostly of the same type.
fn other(value: &Value, entropy: &mut Entropy) -> Value {
    if entropy.random_bool(0.15) {
        let others = [
            Value::Null,
            json!({}),
            json!([]),
            json!(true),
            json!(1),
            json!("1"),
            json!(1.5),
            json!([[]]),
        ];
        return others[entropy.random_range(0..others.len())].clone();
    }
    match value {
        Value::Bool(value) => json!(!value),
        Value::Number(_) => {
            let numbers = [
                -1,
                0,
                1,
                2,
                64,
                80,
                443,
                65_535,
                65_536,
                1_000_001,
                i64::from(i32::MAX) + 1,
                i64::MAX,
                i64::MIN,
            ];
            json!(numbers[entropy.random_range(0..numbers.len())])
        }
        Value::String(old) => match entropy.random_range(0..8) {
            0 => json!(old.to_uppercase()),
            1 => json!(old.repeat(entropy.random_range(2..80))),
            2 => json!(format!("{old}{}", text(entropy))),
            3 => json!(old.chars().skip(1).collect::<String>()),
            4 => json!(raw(entropy)),
            _ => json!(text(entropy)),
        },
        _ => json!({"name": text(entropy), "value": text(entropy)}),
    }
}

/// One of the texts above.
pub(crate) fn text(entropy: &mut Entropy) -> String {
    (*TEXTS.choose(entropy).expect("there are texts")).to_owned()
}

/// Characters as they come, mostly of ASCII.
pub(crate) fn raw(entropy: &mut Entropy) -> String {
    let length = entropy.random_range(0..12);
    (0..length)
        .map(|_| {
            let byte: u8 = u8::try_from(entropy.random_range(0..256_u32)).unwrap_or_default();
            if byte < 0xF0 {
                char::from(byte & 0x7F)
            } else {
                '\u{20AC}'
            }
        })
        .collect()
}
