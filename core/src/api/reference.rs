//! References from one object to another.

use crate::key::GATEWAY_GROUP;

/// A namespace that is named, or the local one; an empty name names none.
fn named_or<'a>(namespace: Option<&'a str>, local: &'a str) -> &'a str {
    namespace
        .filter(|namespace| !namespace.is_empty())
        .unwrap_or(local)
}

wire! {
    /// `ParentReference`: what a route wants to attach to.
    ParentReference {
        name: String;
        group: String,
        kind: String,
        namespace: String,
        section_name: String,
        port: i32,
    }
}

impl ParentReference {
    /// A reference to a whole Gateway.
    pub fn to_gateway(namespace: &str, name: &str) -> ParentReference {
        ParentReference {
            name: name.to_owned(),
            namespace: Some(namespace.to_owned()),
            ..ParentReference::default()
        }
    }

    /// `group`, the Gateway API's by default.
    pub fn group(&self) -> &str {
        self.group.as_deref().unwrap_or(GATEWAY_GROUP)
    }

    /// `kind`, `Gateway` by default.
    pub fn kind(&self) -> &str {
        self.kind.as_deref().unwrap_or("Gateway")
    }

    /// `namespace`, that of the object which refers by default.
    pub fn namespace<'a>(&'a self, local: &'a str) -> &'a str {
        named_or(self.namespace.as_deref(), local)
    }
}

wire! {
    /// `BackendObjectReference`.
    BackendObjectReference {
        name: String;
        group: String,
        kind: String,
        namespace: String,
        port: i32,
    }
}

wire! {
    /// `BackendRef`: a backend object and its weight.
    BackendRef {
        name: String;
        group: String,
        kind: String,
        namespace: String,
        port: i32,
        weight: i32,
    }
}

impl BackendRef {
    /// `weight`, 1 by default.
    pub fn weight(&self) -> i32 {
        self.weight.unwrap_or(1)
    }

    /// `group`, the core group by default.
    pub fn group(&self) -> &str {
        self.group.as_deref().unwrap_or("")
    }

    /// `kind`, `Service` by default.
    pub fn kind(&self) -> &str {
        self.kind.as_deref().unwrap_or("Service")
    }

    /// `namespace`, that of the object which refers by default.
    pub fn namespace<'a>(&'a self, local: &'a str) -> &'a str {
        named_or(self.namespace.as_deref(), local)
    }

    /// The object without the weight.
    pub fn object(&self) -> BackendObjectReference {
        BackendObjectReference {
            name: self.name.clone(),
            group: self.group.clone(),
            kind: self.kind.clone(),
            namespace: self.namespace.clone(),
            port: self.port,
        }
    }
}

impl BackendObjectReference {
    /// `group`, the core group by default.
    pub fn group(&self) -> &str {
        self.group.as_deref().unwrap_or("")
    }

    /// `kind`, `Service` by default.
    pub fn kind(&self) -> &str {
        self.kind.as_deref().unwrap_or("Service")
    }

    /// `namespace`, that of the object which refers by default.
    pub fn namespace<'a>(&'a self, local: &'a str) -> &'a str {
        named_or(self.namespace.as_deref(), local)
    }
}

wire! {
    /// `SecretObjectReference`.
    SecretObjectReference {
        name: String;
        group: String,
        kind: String,
        namespace: String,
    }
}

impl SecretObjectReference {
    /// `group`, the core group by default.
    pub fn group(&self) -> &str {
        self.group.as_deref().unwrap_or("")
    }

    /// `kind`, `Secret` by default.
    pub fn kind(&self) -> &str {
        self.kind.as_deref().unwrap_or("Secret")
    }

    /// `namespace`, that of the object which refers by default.
    pub fn namespace<'a>(&'a self, local: &'a str) -> &'a str {
        named_or(self.namespace.as_deref(), local)
    }
}

wire! {
    /// `ObjectReference`: any object, in any namespace.
    ObjectReference {
        group: String,
        kind: String,
        name: String;
        namespace: String,
    }
}

wire! {
    /// `LocalObjectReference`: an object of the same namespace.
    LocalObjectReference {
        group: String,
        kind: String,
        name: String;
    }
}

wire! {
    /// `ParametersReference`.
    ParametersReference {
        group: String,
        kind: String,
        name: String;
        namespace: String,
    }
}
