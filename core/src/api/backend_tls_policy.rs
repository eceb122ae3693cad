//! BackendTLSPolicy.

use std::collections::BTreeMap;

use super::reference::LocalObjectReference;
use super::status::PolicyStatus;

kind! {
    /// How the gateway speaks TLS to a Service.
    BackendTlsPolicy { BackendTlsPolicySpec, PolicyStatus }
}

wire! {
    /// `BackendTLSPolicySpec`.
    BackendTlsPolicySpec {
        target_refs: Vec<LocalPolicyTargetReferenceWithSectionName>,
        validation: BackendTlsPolicyValidation;
        options: BTreeMap<String, String>,
    }
}

wire! {
    /// `LocalPolicyTargetReferenceWithSectionName`.
    LocalPolicyTargetReferenceWithSectionName {
        group: String,
        kind: String,
        name: String;
        section_name: String,
    }
}

wire! {
    /// `BackendTLSPolicyValidation`.
    BackendTlsPolicyValidation {
        hostname: String;
        ca_certificate_refs: Vec<LocalObjectReference>,
        #[serde(rename = "wellKnownCACertificates")]
        well_known_ca_certificates: String,
        subject_alt_names: Vec<SubjectAltName>,
    }
}

wire! {
    /// `SubjectAltName`.
    SubjectAltName {
        #[serde(rename = "type")]
        name_type: SubjectAltNameType;
        hostname: String,
        uri: String,
    }
}

open_enum! {
    /// `SubjectAltNameType`.
    SubjectAltNameType { Hostname = "Hostname", Uri = "URI" }
}
