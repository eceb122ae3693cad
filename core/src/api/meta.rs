//! `metav1`: what all objects share.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::timestamp::Timestamp;

wire! {
    /// `metav1.ObjectMeta`, as far as routing reads it.
    ObjectMeta {
        name: String;
        namespace: String,
        uid: String,
        resource_version: String,
        generation: i64,
        creation_timestamp: String,
        deletion_timestamp: String,
        labels: BTreeMap<String, String>,
        annotations: BTreeMap<String, String>,
        finalizers: Vec<String>,
        owner_references: Vec<Value>,
    }
}

impl ObjectMeta {
    /// `creationTimestamp`, where it is an instant; a text that is none counts as absent.
    pub fn created(&self) -> Option<Timestamp> {
        self.creation_timestamp.as_deref()?.parse().ok()
    }

    /// `generation`, 0 where nobody counts (files).
    pub fn generation(&self) -> i64 {
        self.generation.unwrap_or(0)
    }

    /// The value of a label.
    pub fn label(&self, key: &str) -> Option<&str> {
        self.labels.as_ref()?.get(key).map(String::as_str)
    }

    /// The value of an annotation.
    pub fn annotation(&self, key: &str) -> Option<&str> {
        self.annotations.as_ref()?.get(key).map(String::as_str)
    }
}

wire! {
    /// `metav1.LabelSelector`.
    LabelSelector {
        ;
        match_labels: BTreeMap<String, String>,
        match_expressions: Vec<LabelSelectorRequirement>,
    }
}

wire! {
    /// `metav1.LabelSelectorRequirement`.
    LabelSelectorRequirement {
        key: String,
        operator: String;
        values: Vec<String>,
    }
}

impl LabelSelector {
    /// Whether an object with these labels is selected. An empty selector selects everything; an operator that is not
    /// one of Kubernetes' selects nothing.
    pub fn matches(&self, labels: &BTreeMap<String, String>) -> bool {
        let equal = self.match_labels.iter().flatten();
        let required = self.match_expressions.iter().flatten();
        equal
            .into_iter()
            .all(|(key, value)| labels.get(key) == Some(value))
            && required
                .into_iter()
                .all(|requirement| requirement.matches(labels))
    }
}

impl LabelSelectorRequirement {
    fn matches(&self, labels: &BTreeMap<String, String>) -> bool {
        let value = labels.get(&self.key);
        let listed = value.is_some_and(|value| self.values.iter().flatten().any(|v| v == value));
        match self.operator.as_str() {
            "In" => listed,
            "NotIn" => !listed,
            "Exists" => value.is_some(),
            "DoesNotExist" => value.is_none(),
            _ => false,
        }
    }
}

wire! {
    /// `metav1.Condition`.
    Condition {
        #[serde(rename = "type")]
        condition_type: String,
        status: String,
        reason: String,
        message: String,
        last_transition_time: String;
        observed_generation: i64,
    }
}
