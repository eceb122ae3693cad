//! EndpointSlice, as far as routing reads it.

use serde_json::Value;

use super::meta::ObjectMeta;

wire! {
    /// `discoveryv1.EndpointSlice`.
    EndpointSlice {
        metadata: ObjectMeta,
        address_type: String;
        endpoints: Vec<Endpoint>,
        ports: Vec<EndpointPort>,
    }
}

wire! {
    /// `discoveryv1.Endpoint`.
    Endpoint {
        addresses: Vec<String>;
        conditions: EndpointConditions,
        hostname: String,
        node_name: String,
        target_ref: Value,
        zone: String,
    }
}

wire! {
    /// `discoveryv1.EndpointConditions`.
    EndpointConditions {
        ;
        ready: bool,
        serving: bool,
        terminating: bool,
    }
}

impl Endpoint {
    /// Whether it takes new requests: `conditions.ready`; unknown counts as ready.
    pub fn ready(&self) -> bool {
        self.conditions
            .as_ref()
            .and_then(|c| c.ready)
            .unwrap_or(true)
    }

    /// Whether it still answers: `conditions.serving`; unknown counts as ready.
    pub fn serving(&self) -> bool {
        let serving = self.conditions.as_ref().and_then(|c| c.serving);
        serving.unwrap_or_else(|| self.ready())
    }

    /// Whether it is going away: `conditions.terminating`.
    pub fn terminating(&self) -> bool {
        self.conditions
            .as_ref()
            .and_then(|c| c.terminating)
            .unwrap_or(false)
    }
}

wire! {
    /// `discoveryv1.EndpointPort`.
    EndpointPort {
        ;
        name: String,
        port: i32,
        protocol: String,
        app_protocol: String,
    }
}

impl EndpointPort {
    /// `protocol`, `TCP` by default.
    pub fn protocol(&self) -> &str {
        self.protocol.as_deref().unwrap_or("TCP")
    }
}
