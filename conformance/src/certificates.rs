//! Certificates, made here alone. Those of Secrets are made once for each list of names: nothing depends on what else they are.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use serde_json::{Value, json};

static MADE: Mutex<BTreeMap<String, (String, String)>> = Mutex::new(BTreeMap::new());

/// A certificate that signs itself, and its key, as PEM; another one at each call.
///
/// # Panics
///
/// If no certificate can be made of the names.
pub fn made(names: &[&str]) -> (String, String) {
    let names: Vec<String> = names.iter().map(ToString::to_string).collect();
    let made = rcgen::generate_simple_self_signed(names).expect("a certificate");
    (made.cert.pem(), made.signing_key.serialize_pem())
}

/// A Secret of type `kubernetes.io/tls` whose certificate has these names; they stand in the annotation `names`, too, for
/// whoever cannot read certificates.
///
/// # Panics
///
/// If no certificate can be made of the names.
pub fn secret(namespace: &str, name: &str, names: &[&str]) -> Value {
    let joined = names.join(",");
    let mut all = MADE.lock().unwrap_or_else(PoisonError::into_inner);
    let (chain, key) = all.entry(joined.clone()).or_insert_with(|| made(names));
    json!({
        "apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/tls",
        "metadata": {"name": name, "namespace": namespace, "annotations": {"names": joined}},
        "stringData": {"tls.crt": chain, "tls.key": key},
    })
}
