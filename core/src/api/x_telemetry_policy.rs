//! XTelemetryPolicy (experimental).

use super::filter::{Fraction, HttpHeader};
use super::reference::{BackendObjectReference, LocalObjectReference};
use super::status::PolicyStatus;

kind! {
    /// Tracing of Gateways.
    XTelemetryPolicy { XTelemetryPolicySpec, PolicyStatus }
}

wire! {
    /// `TelemetryPolicySpec`.
    XTelemetryPolicySpec {
        target_refs: Vec<LocalObjectReference>;
        tracing: Tracing,
    }
}

wire! {
    /// `TracingSpec`.
    Tracing {
        ;
        mode: TelemetryMode,
        provider: TracingProvider,
        sampling_rate: Fraction,
        service_name: String,
        span_name: String,
        parent_based_sampling: ParentBasedSampling,
        attributes: Vec<TracingAttribute>,
    }
}

open_enum! {
    /// `TelemetryMode`.
    TelemetryMode = ImplementationDefault {
        ImplementationDefault = "ImplementationDefault",
        Enabled = "Enabled",
        Disabled = "Disabled",
    }
}

wire! {
    /// `TracingProvider`.
    TracingProvider {
        backend_ref: BackendObjectReference;
        headers: Vec<HttpHeader>,
    }
}

wire! {
    /// `ParentBasedSampling`.
    ParentBasedSampling {
        ;
        mode: TelemetryMode,
        sampling_rate: Fraction,
    }
}

wire! {
    /// `TracingAttribute`.
    TracingAttribute {
        name: String,
        source_type: TracingAttributeSourceType;
        header_name: String,
        literal_value: String,
        attribute_key: String,
    }
}

open_enum! {
    /// Where the value of an attribute comes from.
    TracingAttributeSourceType { Header = "Header", Literal = "Literal", Attribute = "Attribute" }
}

impl Tracing {
    /// `mode`, `ImplementationDefault` by default.
    pub fn mode(&self) -> &TelemetryMode {
        self.mode
            .as_ref()
            .unwrap_or(&TelemetryMode::ImplementationDefault)
    }
}

impl ParentBasedSampling {
    /// `mode`, `ImplementationDefault` by default.
    pub fn mode(&self) -> &TelemetryMode {
        self.mode
            .as_ref()
            .unwrap_or(&TelemetryMode::ImplementationDefault)
    }
}
